// A row of the desk as VS Code shows it: words, icon, what a screen reader says, and which buttons it has.
import { MarkdownString, ThemeColor, ThemeIcon, TreeItem, TreeItemCollapsibleState, Uri, type Command } from "vscode";
import { verdictWords } from "./checks";
import { change, waiting } from "./hunks";
import type { CheckView, DraftedHunk, FileView, HunkView, ProposalView, RunDrafted, RunEnded } from "./protocol.gen";
import { count, sentences, short } from "./words";

/** A run without a proposal, or with none yet; `words` say what it is at or how it ended. */
export interface RunRow { id: string; title: string; state: "running" | "outline" | RunEnded["state"]; words: string; drafted: readonly RunDrafted[] }

/** What stands on the desk: a run or its proposal; below a proposal its checks and its files, below a file its hunks. */
export type Row =
  | { is: "run"; run: RunRow }
  | { is: "drafted"; run: RunRow; file: RunDrafted }
  | { is: "draftedHunk"; run: RunRow; file: RunDrafted; hunk: DraftedHunk }
  | { is: "proposal"; proposal: ProposalView }
  | { is: "check"; proposal: ProposalView; check: CheckView }
  | { is: "file"; proposal: ProposalView; file: FileView }
  | { is: "hunk"; proposal: ProposalView; file: FileView; hunk: HunkView };

/** The row as an item of the tree. */
export function item(row: Row): TreeItem {
  const made = bare(row);
  const details = row.is === "hunk" ? hunkWords(row.hunk) : typeof made.description === "string" ? made.description : "";
  const label = typeof made.label === "string" ? made.label : made.label?.label ?? "";
  made.accessibilityInformation = { label: [label, details].filter((words) => words !== "").join(", ") };
  return made;
}

function bare(row: Row): TreeItem {
  switch (row.is) {
    case "run": return runItem(row.run);
    case "drafted": return draftedItem(row);
    case "draftedHunk": return draftedHunkItem(row);
    case "proposal": return proposalItem(row.proposal);
    case "check": return checkItem(row);
    case "file": return fileItem(row);
    case "hunk": return hunkItem(row);
  }
}

const RUN_ICONS: Record<RunRow["state"], ThemeIcon> = {
  running: new ThemeIcon("loading~spin"),
  outline: new ThemeIcon("question"),
  done: new ThemeIcon("pass"),
  nothing: new ThemeIcon("circle-slash"),
  limited: new ThemeIcon("warning", new ThemeColor("list.warningForeground")),
  cancelled: new ThemeIcon("circle-slash"),
  declined: new ThemeIcon("circle-slash"),
  failed: new ThemeIcon("error", new ThemeColor("list.errorForeground")),
};

function runItem({ id, title, state, words, drafted }: RunRow): TreeItem {
  const made = parent(short(title), id, drafted);
  made.iconPath = RUN_ICONS[state];
  made.description = words;
  made.tooltip = sentences(`${title}.`, words);
  made.contextValue = state === "running" || state === "outline" ? "run active" : "run over";
  if (state === "outline") made.command = { command: "inglenook.showOutline", title: "Show the Outline" };
  return made;
}

/** A file that the agent has edits for, while it still writes. */
function draftedItem({ run, file }: Extract<Row, { is: "drafted" }>): TreeItem {
  const name = file.path.split("/").at(-1) ?? file.path;
  const made = parent(name, `${run.id} ${file.uri}`, file.hunks);
  made.resourceUri = Uri.parse(file.uri);
  made.iconPath = ThemeIcon.File;
  made.description = file.lines > 0 ? `${count(file.lines, "line")} so far` : `${count(file.hunks.length, "hunk")} so far`;
  made.tooltip = `${file.path}: nothing is in review yet, and nothing is written.`;
  made.contextValue = "drafted";
  made.command = showDraft(file);
  return made;
}

function draftedHunkItem({ run, file, hunk }: Extract<Row, { is: "draftedHunk" }>): TreeItem {
  const made = new TreeItem(capital(hunk.header), TreeItemCollapsibleState.None);
  made.id = `${run.id} ${file.uri} ${hunk.header}`;
  made.iconPath = new ThemeIcon(KIND_ICONS[hunk.kind]);
  made.description = `+${hunk.added} −${hunk.removed}`;
  made.tooltip = "As the agent has it so far. Nothing is in review yet, and nothing is written.";
  made.contextValue = "drafted";
  made.command = showDraft(file);
  return made;
}

/** A row that may get children later. VS Code does not always open a row that had none, but it opens one that it does not know. */
function parent(label: string, id: string, children: readonly unknown[]): TreeItem {
  const made = new TreeItem(label, children.length === 0 ? TreeItemCollapsibleState.None : TreeItemCollapsibleState.Expanded);
  made.id = children.length === 0 ? id : `${id} open`;
  return made;
}

function showDraft({ path, baseUri, draftUri }: RunDrafted): Command {
  return { command: "inglenook.showDraft", title: "Show What Is Drafted", arguments: [{ path, baseUri, draftUri }] };
}

function proposalItem(proposal: ProposalView): TreeItem {
  const { id, title, open, verdict } = proposal;
  const made = new TreeItem(short(title), open ? TreeItemCollapsibleState.Expanded : TreeItemCollapsibleState.Collapsed);
  const hunks = proposal.files.flatMap((file) => file.hunks);
  made.id = id;
  made.iconPath = open ? new ThemeIcon("diff") : new ThemeIcon(hunks.some(({ decision }) => decision === "accepted") ? "pass" : "circle-slash");
  made.description = `${open ? `${waiting(proposal).length} of ${hunks.length} to review` : outcome(hunks)} · ${verdictBadge(proposal)}`;
  made.tooltip = tooltip(title, proposal.summary, verdict?.words ?? "No checks were run on it.");
  made.contextValue = open ? "proposal open" : "proposal decided";
  if (open) made.command = { command: "inglenook.review.show", title: "Show Proposal", arguments: [{ proposalId: id }] };
  return made;
}

/** The verdict, with a sign for those who look, in words for those who listen. */
function verdictBadge({ verdict }: ProposalView): string {
  const sign = { passed: "✓ ", failed: verdict?.breaks === true ? "✗ " : "", timed_out: "✗ ", not_run: "" }[verdict?.state ?? "not_run"];
  return sign + verdictWords(verdict);
}

function outcome(hunks: readonly HunkView[]): string {
  const kinds = (["accepted", "rejected", "stale"] as const).map((decision) => [hunks.filter((hunk) => hunk.decision === decision).length, decision] as const);
  return kinds.filter(([n]) => n > 0).map(([n, decision]) => `${n} ${decision}`).join(", ");
}

const CHECK_ICONS: Record<CheckView["state"], ThemeIcon> = {
  passed: new ThemeIcon("pass", new ThemeColor("testing.iconPassed")),
  failed: new ThemeIcon("error", new ThemeColor("testing.iconFailed")),
  timed_out: new ThemeIcon("watch", new ThemeColor("testing.iconFailed")),
  not_run: new ThemeIcon("circle-slash"),
};

function checkItem({ proposal, check }: Extract<Row, { is: "check" }>): TreeItem {
  const made = new TreeItem(`Check: ${check.name}`, TreeItemCollapsibleState.None);
  made.id = `${proposal.id} check ${check.name}`;
  made.iconPath = CHECK_ICONS[check.state];
  const fresh = check.new.length === 0 ? "" : `, ${count(check.new.length, "new failure")}`;
  made.description = `${check.state.replace("_", " ")}${fresh} · ${check.seconds.toFixed(1)} s`;
  made.tooltip = tooltip(check.words || made.description, ...check.new.map((failure) => `New: ${failure}`));
  made.contextValue = "check";
  made.command = { command: "inglenook.showVerdict", title: "Show Output", arguments: [{ proposalId: proposal.id }] };
  return made;
}

const FILE_WORDS: Record<FileView["kind"], string> = { edit: "", create: "new file", delete: "to be deleted", rename: "renamed" };

function fileItem({ proposal, file }: Extract<Row, { is: "file" }>): TreeItem {
  const name = file.path.split("/").at(-1) ?? file.path;
  const pending = file.hunks.filter(({ decision }) => decision === "pending").length;
  const made = new TreeItem(name, TreeItemCollapsibleState.Expanded);
  const where = file.path.slice(0, -name.length).replace(/\/$/, "");
  const state = pending > 0 ? `${pending} of ${file.hunks.length} to review` : outcome(file.hunks);
  made.id = `${proposal.id} ${file.uri}`;
  made.resourceUri = Uri.parse(file.uri);
  made.iconPath = ThemeIcon.File;
  made.description = [where, FILE_WORDS[file.kind], state].filter((words) => words !== "").join(" · ");
  made.tooltip = file.path;
  made.contextValue = pending > 0 ? "file open" : "file decided";
  return made;
}

const DECIDED_ICONS = {
  accepted: new ThemeIcon("check", new ThemeColor("testing.iconPassed")),
  rejected: new ThemeIcon("close"),
  stale: new ThemeIcon("warning", new ThemeColor("list.warningForeground")),
};
const KIND_ICONS = { create: "diff-added", delete: "diff-removed", rename: "diff-renamed", text: "diff-modified" };

function hunkItem({ proposal, file, hunk }: Extract<Row, { is: "hunk" }>): TreeItem {
  const { id, kind, decision, reason, header, notes } = hunk;
  const made = new TreeItem(capital(header), TreeItemCollapsibleState.None);
  const unfit = isUnfit(hunk);
  made.id = `${proposal.id} ${file.uri} ${id}`;
  made.iconPath = decision !== "pending" ? DECIDED_ICONS[decision] : unfit ? DECIDED_ICONS.stale : new ThemeIcon(KIND_ICONS[kind]);
  const state = decision !== "pending" ? decision : unfit ? "no longer fits" : "";
  made.description = [kind === "text" ? `+${hunk.added} −${hunk.removed}` : "", state].filter((words) => words !== "").join(" · ");
  made.tooltip = tooltip(capital(header), reason, ...notes);
  made.contextValue = `hunk ${unfit ? "unfit" : decision === "stale" && !hunk.refit ? "replaced" : decision}`;
  made.command = { command: "inglenook.showHunk", title: "Show Hunk", arguments: [{ proposalId: proposal.id, hunk: id }, true] };
  return made;
}

/** A hunk as it is read aloud. */
function hunkWords(hunk: HunkView): string {
  const state = hunk.decision !== "pending" ? hunk.decision : isUnfit(hunk) ? "no longer fits" : "to review";
  return hunk.kind === "text" ? `${change(hunk)}, ${state}` : state;
}

/** Whether a hunk waits but does not fit the text as it is just now. */
function isUnfit({ decision, reason }: HunkView): boolean {
  return decision === "pending" && reason !== "";
}

/** Words of a model or of a program as they are: no mark-up, no links. */
function tooltip(...lines: string[]): MarkdownString {
  const page = new MarkdownString();
  for (const line of lines.filter((words) => words !== "")) page.appendText(line).appendMarkdown("\n\n");
  return page;
}

function capital(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
