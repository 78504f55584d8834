// The second gate: proposals as the server tells them, and the user's decisions on them, hunk by hunk.
import { EventEmitter, Selection, TextEditorRevealType, Uri, window, workspace, type Disposable, type TextDocument } from "vscode";
import type { Server } from "./client";
import { close, closeAll, inFront, setInFront, showFile, showProposal, showReal } from "./diffs";
import { fileOf, hunkAt, neighbour, rangeIn, waiting, waitingIn, type Place, type Waiting } from "./hunks";
import type { Decided, DecideHunks, FileView, HunkRef, ProposalView, VerdictView } from "./protocol.gen";
import { BRIEFLY_MS } from "./words";

const REFRESH_MS = 1000; // how long a document of the server may take to show a decision

type Decision = DecideHunks["decision"];

export class Review implements Disposable {
  private readonly proposals = new Map<string, ProposalView>();
  private readonly changed = new EventEmitter<void>();
  readonly onChange = this.changed.event;

  /** `agreed` asks the user where something speaks against accepting. */
  constructor(private readonly server: Server, private readonly agreed: (proposal: ProposalView) => Promise<boolean>) {}

  /** The newest proposal with hunks that wait; the one in front, if there is one. */
  get current(): ProposalView | undefined {
    const open = [...this.proposals.values()].filter((each) => each.open).reverse();
    const place = here();
    return open.find((each) => place !== undefined && fileOf(each, place.uri) !== undefined) ?? open[0];
  }

  /** All proposals, newest first. */
  get all(): readonly ProposalView[] {
    return [...this.proposals.values()].reverse();
  }

  /** What waits, in all proposals: how many hunks, and what the checks said of the newest. */
  get brief(): { hunks: number; verdict: VerdictView | null } {
    const hunks = [...this.proposals.values()].reduce((sum, each) => sum + waiting(each).length, 0);
    return { hunks, verdict: this.current?.verdict ?? null };
  }

  /** What the checks said of a proposal. */
  verdict(id: string): VerdictView | null {
    return this.proposals.get(id)?.verdict ?? null;
  }

  /** What waits in a real file, newest proposal first; nothing in any other document. */
  waitingIn(uri: Uri | undefined): { proposal: ProposalView; waiting: Waiting }[] {
    if (uri?.scheme !== "file") return [];
    return this.all.flatMap((proposal) => waitingIn(proposal, uri.toString()).map((waiting) => ({ proposal, waiting })));
  }

  /** Whether a document is the left side of a diff, where the buttons of the right side need no repetition. */
  isLeft(uri: Uri): boolean {
    return [...this.proposals.values()].some(({ files }) => files.some(({ baseUri }) => baseUri === uri.toString()));
  }

  /** The file that a document stands for: itself, or the file of which it is a side in a diff. */
  realFile(uri: Uri): Uri | undefined {
    if (uri.scheme === "file") return uri;
    for (const proposal of this.proposals.values()) {
      const file = fileOf(proposal, uri.toString());
      if (file !== undefined && file.kind !== "create") return Uri.parse(file.uri);
    }
    return undefined;
  }

  /** Takes in what the server has, when it has just been started. */
  async load(): Promise<void> {
    const { proposals } = await this.server.ask("inglenook.review.list", {});
    for (const proposal of proposals.reverse()) await this.fold(proposal);
  }

  /** Takes in a proposal that is new or has changed. */
  async fold(told: ProposalView): Promise<void> {
    const proposal = { ...told, files: told.files.map(spelled) };
    const before = this.proposals.get(proposal.id);
    this.proposals.set(proposal.id, proposal);
    this.changed.fire();
    if (before?.open === true && !proposal.open) await close(proposal, proposal.files, true);
  }

  /** The server is gone, and with it what it served. */
  async clear(): Promise<void> {
    this.proposals.clear();
    this.changed.fire();
    await closeAll();
  }

  /** Shows a proposal: the one of this id, or the current one. */
  async show(id?: string | null): Promise<void> {
    const known = id === undefined || id === null ? this.current : this.proposals.get(id);
    const told = await this.server.ask("inglenook.review.show", { proposalId: known?.id ?? id ?? null });
    await this.fold(told);
    const proposal = this.proposals.get(told.id);
    if (proposal !== undefined) await showProposal(proposal, waiting(proposal)[0]);
  }

  /** Shows one hunk: in the diff while it waits and fits, else where it stands or stood in the file. `stay`: the focus stays where it is. */
  async showHunk({ proposalId, hunk: id }: HunkRef, stay = false): Promise<void> {
    const proposal = this.proposals.get(proposalId);
    const found = proposal?.files.flatMap((file) => file.hunks.map((hunk) => ({ file, hunk }))).find(({ hunk }) => hunk.id === id);
    if (found === undefined) return;
    if (found.hunk.decision === "pending" && found.hunk.resultRange !== null) await this.goTo(found, { diff: true, stay });
    else await showReal(found, stay);
  }

  /** Decides on the hunk under the cursor; without one there, goes to the next and decides nothing. */
  async decideHunk(decision: Decision): Promise<void> {
    const proposal = this.current;
    const place = here();
    const found = proposal === undefined || place === undefined ? undefined : hunkAt(proposal, place);
    if (proposal === undefined) return;
    if (found === undefined) {
      await this.go(1);
      window.setStatusBarMessage("$(arrow-down) Moved to the next hunk; nothing is decided yet", BRIEFLY_MS);
      return;
    }
    await this.decide({ decision, proposalId: proposal.id, hunks: [found.hunk.id] });
  }

  /** Decides on all that waits in the file in front; of a diff over several files that is the one with the cursor. */
  async decideFile(decision: Decision): Promise<void> {
    const proposal = this.current;
    const place = here();
    const file = proposal === undefined || place === undefined ? undefined : fileOf(proposal, place.uri);
    if (proposal === undefined) return;
    if (file === undefined) {
      window.setStatusBarMessage("$(info) Put the cursor into a file of the proposal first", BRIEFLY_MS);
      return;
    }
    await this.decide({ decision, proposalId: proposal.id, uri: file.uri });
  }

  /** Decides on all that waits. */
  async decideAll(decision: Decision): Promise<void> {
    const proposal = this.current;
    if (proposal !== undefined) await this.decide({ decision, proposalId: proposal.id });
  }

  /** Sends a decision, and goes on to what waits next if the user is in a diff of ours. */
  async decide(wish: DecideHunks): Promise<Decided | undefined> {
    const reviewing = inFront() ? here() : undefined;
    const refreshed = reviewing === undefined || wish.decision === "accept" ? Promise.resolve() : changeOf(reviewing.uri);
    const decided = await this.settle(wish);
    const proposal = decided === undefined ? undefined : this.proposals.get(decided.proposal.id);
    if (reviewing !== undefined && proposal?.open === true) {
      await refreshed;
      await this.goOn(proposal, reviewing);
    }
    return decided;
  }

  /** Sends a decision, and stays where the user is. Nothing is sent if the user turns away from it. */
  async settle(wish: DecideHunks): Promise<Decided | undefined> {
    const about = this.proposals.get(wish.proposalId ?? "") ?? this.current;
    if (wish.decision === "accept" && about !== undefined && !(await this.agreed(about))) return undefined;
    const decided = await this.server.ask("inglenook.review.decide", wish);
    await this.fold(decided.proposal);
    if (decided.applied || wish.decision !== "accept") window.setStatusBarMessage(`$(check) ${decided.words}`, BRIEFLY_MS);
    return decided;
  }

  /** Takes the last decision back. What stands in its way lies in review then. */
  async undo(): Promise<void> {
    const decided = await this.server.ask("inglenook.review.undo", {});
    await this.fold(decided.proposal);
    window.setStatusBarMessage(`$(discard) ${decided.words}`, BRIEFLY_MS);
  }

  /** Goes to the next hunk that waits, or the one before, across files. */
  async go(step: 1 | -1): Promise<void> {
    const proposal = this.current;
    const to = proposal === undefined ? undefined : neighbour(proposal, here(), step);
    if (to !== undefined) await this.goTo(to);
  }

  dispose(): void {
    this.changed.dispose();
  }

  /** After a decision: to the next hunk. Where all files are shown together, no other file jumps into view. */
  private async goOn(proposal: ProposalView, from: Place): Promise<void> {
    const file = fileOf(proposal, from.uri);
    const next = neighbour(proposal, from, 1);
    if (next === undefined || (next.file !== file && setInFront())) return;
    await this.goTo(next);
    if (file !== undefined && next.file !== file) await close(proposal, [file], false);
  }

  /** In the diff; in the file itself for somebody who is in a file, where the hunk has lines there, unless the `diff` is asked for. */
  private async goTo(to: Waiting, { diff = false, stay = false } = {}): Promise<void> {
    const editor = window.activeTextEditor;
    const inFile = !diff && editor?.document.uri.scheme === "file" && to.file.kind === "edit" && to.hunk.range !== null;
    const uri = inFile ? to.file.uri : to.file.resultUri;
    const range = rangeIn(to, uri);
    if (editor?.document.uri.toString() !== uri || range === undefined) {
      await (inFile ? showReal(to) : showFile(to.file, to, stay));
      return;
    }
    const { line } = range.start;
    editor.selection = new Selection(line, 0, line, 0);
    editor.revealRange(editor.selection, TextEditorRevealType.InCenterIfOutsideViewport);
  }
}

/** Where the cursor is. */
function here(): Place | undefined {
  const editor = window.activeTextEditor;
  return editor === undefined ? undefined : { uri: editor.document.uri.toString(), line: editor.selection.active.line };
}

/** When a document next changes; soon in any case. */
async function changeOf(uri: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      listener.dispose();
      resolve();
    };
    const timer = setTimeout(done, REFRESH_MS);
    const listener = workspace.onDidChangeTextDocument(({ document }: { document: TextDocument }) => {
      if (document.uri.toString() === uri) done();
    });
  });
}

/** A file with its URIs spelled as VS Code spells them, so that they can be compared. */
function spelled(file: FileView): FileView {
  const as = (uri: string) => Uri.parse(uri).toString();
  const toUri = file.toUri === null ? null : as(file.toUri);
  return { ...file, uri: as(file.uri), toUri, baseUri: as(file.baseUri), resultUri: as(file.resultUri) };
}
