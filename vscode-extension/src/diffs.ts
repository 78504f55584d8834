// A proposal as diffs: what is there now on the left, what would be there on the right. Opens them, and closes only what it opened.
import { commands, Range, TabInputTextDiff, Uri, window, type Tab } from "vscode";
import { rangeIn, standsIn, type Waiting } from "./hunks";
import type { FileView, ProposalView, RunDrafted } from "./protocol.gen";
import { BRIEFLY_MS, short } from "./words";

const DRAFT = "inglenook-draft"; // the scheme of texts that are not in review

/** Titles of the diffs over several files; VS Code puts the number of files behind them. */
const sets = new Set<string>();

/** Shows all that is pending: a file by itself as a diff, several as a set. */
export async function showProposal(proposal: ProposalView, first: Waiting | undefined): Promise<void> {
  const [file, ...others] = proposal.files.filter(({ hunks }) => hunks.some(({ decision }) => decision === "pending"));
  if (file === undefined) return;
  if (others.length === 0) {
    await showFile(file, first);
    return;
  }
  const title = setTitle(proposal);
  sets.add(title);
  const rows = [file, ...others].map((each) => [
    Uri.parse(each.toUri ?? each.uri),
    each.kind === "create" ? undefined : Uri.parse(each.baseUri),
    each.kind === "delete" ? undefined : Uri.parse(each.resultUri),
  ]);
  await commands.executeCommand("vscode.changes", title, rows);
}

/** Shows one file, at a hunk. `stay`: the focus stays where it is. */
export async function showFile(file: FileView, at: Waiting | undefined, stay = false): Promise<void> {
  const range = at === undefined ? undefined : rangeIn(at, file.resultUri);
  const options = { preserveFocus: stay, ...(range === undefined ? {} : { selection: new Range(range.start.line, 0, range.start.line, 0) }) };
  await commands.executeCommand("vscode.diff", Uri.parse(file.baseUri), Uri.parse(file.resultUri), fileTitle(file), options);
}

/** Shows what a run has drafted of a file so far; the diff follows it until the run ends. */
export async function showDraft({ path, baseUri, draftUri }: Pick<RunDrafted, "path" | "baseUri" | "draftUri">): Promise<void> {
  const name = path.split("/").at(-1) ?? path;
  await commands.executeCommand("vscode.diff", Uri.parse(baseUri), Uri.parse(draftUri), `${name} (draft so far)`, { preserveFocus: true });
}

/** Closes the diffs of what a run had drafted, or of all runs: nothing serves them any more. */
export async function closeDrafts(runId?: string): Promise<void> {
  const over = ({ input }: Tab) => input instanceof TabInputTextDiff && input.modified.scheme === DRAFT
    && (runId === undefined || input.modified.authority.endsWith(`.${runId}`));
  await window.tabGroups.close(window.tabGroups.all.flatMap(({ tabs }) => tabs.filter(over)), true);
}

/** Shows the real file at a hunk that no diff shows; says so where there is no file. */
export async function showReal({ file, hunk }: Waiting, stay = false): Promise<void> {
  const taken = hunk.decision === "accepted";
  if ((file.kind === "create" && !taken) || (file.kind === "delete" && taken)) {
    window.setStatusBarMessage(`$(info) ${file.path} is not there`, BRIEFLY_MS);
    return;
  }
  const range = standsIn({ file, hunk });
  const moved = file.hunks.some(({ kind, decision }) => kind === "rename" && decision === "accepted");
  const options = { preserveFocus: stay, ...(range === null ? {} : { selection: new Range(range.start.line, 0, range.start.line, 0) }) };
  await commands.executeCommand("vscode.open", Uri.parse(moved ? file.toUri ?? file.uri : file.uri), options);
}

/** Whether the tab in front shows a proposal. */
export function inFront(): boolean {
  const tab = window.tabGroups.activeTabGroup.activeTab;
  return tab !== undefined && (isFileTab(tab) || isSetTab(tab));
}

/** Whether the tab in front shows the files of a proposal together. */
export function setInFront(): boolean {
  const tab = window.tabGroups.activeTabGroup.activeTab;
  return tab !== undefined && isSetTab(tab);
}

/** Closes the diffs of these files, and the diff of the whole set too if `all`. */
export async function close(proposal: ProposalView, files: readonly FileView[], all: boolean): Promise<void> {
  const results = new Set(files.map(({ resultUri }) => resultUri));
  const mine = (tab: Tab) => tab.input instanceof TabInputTextDiff
    ? results.has(tab.input.modified.toString())
    : all && isTabOf(tab, setTitle(proposal));
  await window.tabGroups.close(window.tabGroups.all.flatMap(({ tabs }) => tabs.filter(mine)), true);
}

/** Closes every diff of ours: the server that served them is gone. */
export async function closeAll(): Promise<void> {
  await window.tabGroups.close(window.tabGroups.all.flatMap(({ tabs }) => tabs.filter((tab) => isFileTab(tab) || isSetTab(tab))), true);
}

function isFileTab({ input }: Tab): boolean {
  return input instanceof TabInputTextDiff && input.modified.scheme === "inglenook";
}

function isSetTab(tab: Tab): boolean {
  return [...sets].some((title) => isTabOf(tab, title));
}

function isTabOf({ input, label }: Tab, title: string): boolean {
  return !(input instanceof TabInputTextDiff) && label.startsWith(title);
}

function setTitle({ title }: ProposalView): string {
  return `Proposal: ${short(title)}`;
}

function fileTitle({ kind, path, toUri }: FileView): string {
  const name = (of: string) => of.split("/").at(-1) ?? of;
  switch (kind) {
    case "create": return `${name(path)} (new file)`;
    case "delete": return `${name(path)} (to be deleted)`;
    case "rename": return `${name(path)} → ${name(Uri.parse(toUri ?? path).path)}`;
    case "edit": return `${name(path)} ↔ proposal`;
  }
}
