// Hunks that wait, marked in the files themselves by decorations and a hover: not a character of the text is changed.
import {
  DecorationRangeBehavior, Hover, languages, MarkdownString, OverviewRulerLane, Range, ThemeColor, Uri, window,
  type DecorationOptions, type DecorationRenderOptions, type Disposable, type TextDocument, type TextEditor, type TextEditorDecorationType,
} from "vscode";
import type { Server } from "./client";
import { change, standsIn, type Waiting } from "./hunks";
import type { HunkText, ProposalView } from "./protocol.gen";
import type { Review } from "./review";

const BAR = "0 0 0 2px"; // as wide as the room before the first letter
const LONGEST_LINES = 40; // of new text in a hover; the diff has the rest

/** How a hunk looks: its lines, and the mark in the gutter at the first of them. */
type Look = "replaced" | "removed" | "added" | "addedBelow" | "moved" | "lost";

const LINES: Record<Look, DecorationRenderOptions> = {
  replaced: bar("editorGutter.modifiedBackground"),
  removed: bar("editorGutter.deletedBackground"),
  added: { borderStyle: "dashed", borderWidth: "1px 0 0 0", borderColor: new ThemeColor("editorGutter.addedBackground") },
  addedBelow: { borderStyle: "dashed", borderWidth: "0 0 1px 0", borderColor: new ThemeColor("editorGutter.addedBackground") },
  moved: {},
  lost: { borderStyle: "dotted", borderWidth: BAR, borderColor: new ThemeColor("editorWarning.foreground") },
};

const RULER: Record<Look, string> = {
  replaced: "editorOverviewRuler.modifiedForeground",
  removed: "editorOverviewRuler.deletedForeground",
  added: "editorOverviewRuler.addedForeground",
  addedBelow: "editorOverviewRuler.addedForeground",
  moved: "editorOverviewRuler.modifiedForeground",
  lost: "editorOverviewRuler.warningForeground",
};

/** The marks differ in shape: a tilde, a minus, a plus, an arrow, an exclamation mark. */
const SHAPES: Record<Look, string> = {
  replaced: "M3 9c2-4 3-4 5-1.5s3 2.5 5-1.5",
  removed: "M3 8h10",
  added: "M3 8h10M8 3v10",
  addedBelow: "M3 8h10M8 3v10",
  moved: "M3 8h10M9 4l4 4-4 4",
  lost: "M8 2v7M8 12v1.5",
};

export class Marks implements Disposable {
  private readonly looks = Object.keys(LINES).map((look) => new Marked(look as Look));
  private readonly listeners: Disposable[];

  constructor(private readonly review: Review, private readonly server: Server) {
    this.listeners = [
      review.onChange(() => { this.show(); }),
      window.onDidChangeVisibleTextEditors(() => { this.show(); }),
      languages.registerHoverProvider({ scheme: "file" }, { provideHover: (document, { line }) => this.hover(document, line) }),
    ];
  }

  dispose(): void {
    for (const each of [...this.looks, ...this.listeners]) each.dispose();
  }

  private show(): void {
    for (const editor of window.visibleTextEditors) {
      if (editor.document.uri.scheme === "file") this.mark(editor);
    }
  }

  private mark(editor: TextEditor): void {
    const hunks = this.review.waitingIn(editor.document.uri).map(({ waiting }) => waiting);
    for (const each of this.looks) each.set(editor, hunks.filter((waiting) => lookOf(waiting) === each.look));
  }

  /** What would stand there instead. The words of the model are in a page of their own, which may run no commands. */
  private async hover(document: TextDocument, line: number): Promise<Hover | undefined> {
    const at = this.review.waitingIn(document.uri).filter(({ waiting }) => linesOf(waiting).includes(line));
    const pages = await Promise.all(at.map(async ({ proposal, waiting }) => {
      const text = await this.server.ask("inglenook.review.hunk", { proposalId: proposal.id, hunk: waiting.hunk.id });
      return [page(waiting, text, document.languageId), buttons(proposal, waiting)];
    }));
    return pages.length === 0 ? undefined : new Hover(pages.flat());
  }
}

/** One look in all editors: a type for the lines, one for the mark at the first of them. */
class Marked implements Disposable {
  private readonly lines: TextEditorDecorationType;
  private readonly head: TextEditorDecorationType;

  constructor(readonly look: Look) {
    const rangeBehavior = DecorationRangeBehavior.ClosedClosed;
    const ruler = { overviewRulerLane: OverviewRulerLane.Left, overviewRulerColor: new ThemeColor(RULER[look]) };
    this.lines = window.createTextEditorDecorationType({ isWholeLine: true, rangeBehavior, ...ruler, ...LINES[look] });
    this.head = window.createTextEditorDecorationType({
      rangeBehavior,
      gutterIconSize: "75%",
      light: { gutterIconPath: icon(SHAPES[look], "#5a4a00") },
      dark: { gutterIconPath: icon(SHAPES[look], "#f0d060") },
    });
  }

  set(editor: TextEditor, hunks: readonly Waiting[]): void {
    editor.setDecorations(this.lines, hunks.map((waiting) => whole(linesOf(waiting))));
    editor.setDecorations(this.head, hunks.map((waiting) => head(waiting, editor.document)));
  }

  dispose(): void {
    this.lines.dispose();
    this.head.dispose();
  }
}

function lookOf({ hunk }: Waiting): Look {
  if (hunk.range === null) return "lost";
  if (hunk.kind === "rename") return "moved";
  if (hunk.removed === 0) return hunk.range.start.character > 0 ? "addedBelow" : "added";
  return hunk.added === 0 ? "removed" : "replaced";
}

/** The lines of the file that a hunk is shown at; an insertion at the line before which it comes. */
function linesOf(waiting: Waiting): number[] {
  const range = standsIn(waiting);
  if (range === null) return [];
  const past = range.end.character === 0 && range.end.line > range.start.line ? range.end.line : range.end.line + 1;
  return Array.from({ length: past - range.start.line }, (_, index) => range.start.line + index);
}

function whole(lines: readonly number[]): Range {
  return new Range(lines[0] ?? 0, 0, lines.at(-1) ?? 0, 0);
}

/** The mark at the first line, with words behind it: how much goes and comes, or why it does not fit. */
function head(waiting: Waiting, document: TextDocument): DecorationOptions {
  const [first = 0] = linesOf(waiting);
  const { range } = document.lineAt(Math.min(first, document.lineCount - 1));
  const words = waiting.hunk.range === null ? `⚠ a hunk no longer fits: ${waiting.hunk.reason}` : change(waiting.hunk);
  const after = { contentText: words, margin: "0 0 0 2em", color: new ThemeColor("descriptionForeground"), fontStyle: "italic" };
  return { range, renderOptions: { after } };
}

function page({ file, hunk }: Waiting, { new: text }: HunkText, languageId: string): MarkdownString {
  const words = new MarkdownString();
  words.appendText(hunk.range === null ? `The agent's proposal no longer fits here. ${hunk.reason}` : `The agent proposes: ${change(hunk)}`);
  if (hunk.kind === "rename") words.appendText(` of ${file.path}`);
  const lines = text.split("\n");
  if (text !== "") words.appendCodeblock(lines.slice(0, LONGEST_LINES).join("\n"), languageId);
  if (lines.length > LONGEST_LINES) words.appendText(`… and ${lines.length - LONGEST_LINES} more lines`);
  for (const note of hunk.notes) words.appendText(`\n\n${note}`);
  return words;
}

function buttons({ id }: ProposalView, { hunk }: Waiting): MarkdownString {
  const link = (label: string, command: string, argument: object) => `[${label}](command:${command}?${encodeURIComponent(JSON.stringify([argument]))})`;
  const decide = (label: string, decision: string) => link(label, "inglenook.decide", { decision, proposalId: id, hunks: [hunk.id] });
  const words = new MarkdownString([
    ...(hunk.range === null ? [] : [decide("$(check) Accept", "accept")]),
    ...(hunk.refit ? [link("$(sync) Re-fit", "inglenook.refit", { proposalId: id, hunks: [hunk.id] })] : []),
    decide("$(close) Reject", "reject"),
    link("$(diff) Show diff", "inglenook.showHunk", { proposalId: id, hunk: hunk.id }),
  ].join(" · "), true);
  words.isTrusted = { enabledCommands: ["inglenook.decide", "inglenook.refit", "inglenook.showHunk"] };
  return words;
}

/** Lines that would go. High-contrast themes give them no background but a border, which the other themes do not have. */
function bar(colour: string): DecorationRenderOptions {
  return {
    borderStyle: "solid", borderWidth: BAR, borderColor: new ThemeColor(colour),
    backgroundColor: new ThemeColor("diffEditor.removedLineBackground"),
    outlineStyle: "dashed", outlineWidth: "1px", outlineColor: new ThemeColor("diffEditor.removedTextBorder"),
  };
}

/** An icon for the gutter, drawn with one stroke. VS Code gives such icons no theme colours; these two have contrast on every theme. */
function icon(path: string, colour: string): Uri {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path d="${path}" fill="none" stroke="${colour}" stroke-width="2"/></svg>`;
  return Uri.parse(`data:image/svg+xml;utf8,${encodeURIComponent(svg)}`);
}
