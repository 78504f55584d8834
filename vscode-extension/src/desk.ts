// The desk: runs and proposals of this session in a tree, newest first, down to the hunk.
import { EventEmitter, window, workspace, type Disposable, type TreeDataProvider, type TreeItem } from "vscode";
import type { DecideHunks, Event, RunDrafted, RunEnded } from "./protocol.gen";
import type { Review } from "./review";
import { item, type Row, type RunRow } from "./rows";
import { PHASES } from "./runs";
import { BRIEFLY_MS, count, sentences } from "./words";

const HOURS = "inglenook.desk.hours";
const FADING_MS = 600_000;
const UNSHOWN = new Set(["range", "resultRange", "near"]); // of a hunk: they move with every line that is typed above it
const ENDS: Record<RunEnded["state"], string> = {
  done: "done", nothing: "nothing to change", limited: "stopped at a limit", cancelled: "cancelled", declined: "declined", failed: "failed",
};

export class Desk implements TreeDataProvider<Row>, Disposable {
  private readonly runs = new Map<string, RunRow>();
  private readonly changed = new EventEmitter<void>();
  readonly onDidChangeTreeData = this.changed.event;
  private readonly view = window.createTreeView<Row>("inglenook.desk", { treeDataProvider: this, showCollapseAll: true });
  private readonly listeners: Disposable[];
  private drawn = ""; // what the rows say
  private readonly over = new Map<string, number>(); // since when what is over is over, in milliseconds
  private readonly fading = setInterval(() => { this.refresh(); }, FADING_MS);

  constructor(private readonly review: Review) {
    this.listeners = [
      review.onChange(() => { this.refresh(); }),
      workspace.onDidChangeConfiguration((event) => { if (event.affectsConfiguration(HOURS)) this.refresh(); }),
    ];
  }

  getTreeItem(row: Row): TreeItem {
    return item(row);
  }

  getChildren(row?: Row): Row[] {
    if (row === undefined) return this.tops();
    switch (row.is) {
      case "proposal": {
        const { proposal } = row;
        const checks = (proposal.verdict?.checks ?? []).map((check): Row => ({ is: "check", proposal, check }));
        return [...checks, ...proposal.files.map((file): Row => ({ is: "file", proposal, file }))];
      }
      case "file": return row.file.hunks.map((hunk) => ({ ...row, is: "hunk", hunk }));
      case "run": return row.run.drafted.map((file) => ({ is: "drafted", run: row.run, file }));
      case "drafted": return row.file.hunks.map((hunk) => ({ ...row, is: "draftedHunk", hunk }));
      case "check": case "hunk": case "draftedHunk": return [];
    }
  }

  /** Takes in what is told of runs. */
  fold(event: Event): void {
    switch (event.type) {
      case "runStarted": this.runs.set(event.runId, { id: event.runId, title: event.title, state: "running", words: "starting", drafted: [] }); break;
      case "runDrafted": this.drafted(event); break;
      case "runPhase": this.turn(event.runId, event.phase === "waiting" ? "outline" : "running", event.words || PHASES[event.phase]); break;
      case "runOutline": this.turn(event.runId, "outline", "the outline waits for you"); break;
      case "runEnded": this.turn(event.runId, event.state, event.state === "failed" ? sentences("failed:", event.words) : ENDS[event.state]); break;
      case "answerReady": case "proposalChanged": case "runNote": case "runPrefill": case "runSpeed": case "runText": case "runTool": case "runConsent": case "statusChanged": case "modelNews": return;
    }
    this.refresh();
  }

  /** The server is gone, and with it the runs. */
  clear(): void {
    this.runs.clear();
    this.refresh();
  }

  /** Decides on a row: the one of the button, or the one that is selected. */
  async decide(decision: DecideHunks["decision"], given: unknown): Promise<void> {
    const row = isRow(given) ? given : this.view.selection[0];
    switch (row?.is) {
      case "hunk": await this.review.settle({ decision, proposalId: row.proposal.id, hunks: [row.hunk.id] }); break;
      case "file": await this.review.settle({ decision, proposalId: row.proposal.id, uri: row.file.uri }); break;
      case "proposal": await this.review.settle({ decision, proposalId: row.proposal.id }); break;
      case undefined: case "run": case "drafted": case "draftedHunk": case "check": window.setStatusBarMessage("$(info) Select a hunk, a file or a proposal first", BRIEFLY_MS); break;
    }
  }

  dispose(): void {
    clearInterval(this.fading);
    for (const each of [...this.listeners, this.view, this.changed]) each.dispose();
  }

  /** Proposals in the place of their runs. What is over fades after the time that the setting says. */
  private tops(): Row[] {
    return this.known().filter((row) => !this.faded(row));
  }

  private faded(row: Row): boolean {
    const over = row.is === "proposal" ? !row.proposal.open : row.is === "run" && !["running", "outline"].includes(row.run.state);
    const id = row.is === "proposal" ? row.proposal.id : row.is === "run" ? row.run.id : "";
    if (!over) this.over.delete(id);
    else if (!this.over.has(id)) this.over.set(id, Date.now());
    return over && Date.now() - (this.over.get(id) ?? 0) >= 3_600_000 * workspace.getConfiguration().get<number>(HOURS, 24);
  }

  private known(): Row[] {
    const proposals = this.review.all;
    const others = proposals.filter(({ runId }) => !this.runs.has(runId)).map((proposal): Row => ({ is: "proposal", proposal }));
    const known = [...this.runs.values()].reverse().flatMap((run): Row[] => {
      const mine = proposals.filter(({ runId }) => runId === run.id).map((proposal): Row => ({ is: "proposal", proposal }));
      return mine.length === 0 ? [{ is: "run", run }] : mine;
    });
    return [...known, ...others];
  }

  private drafted(event: RunDrafted): void {
    const run = this.runs.get(event.runId);
    if (run === undefined) return;
    const at = run.drafted.findIndex(({ uri }) => uri === event.uri);
    const there = event.hunks.length > 0 || event.lines > 0; // else the agent took back what it had there
    const drafted = at < 0 ? [...run.drafted, event] : run.drafted.with(at, event);
    this.runs.set(run.id, { ...run, drafted: there ? drafted : drafted.filter(({ uri }) => uri !== event.uri) });
  }

  private turn(id: string, state: RunRow["state"], words: string): void {
    const run = this.runs.get(id);
    if (run !== undefined) this.runs.set(id, { ...run, state, words, drafted: state === "running" || state === "outline" ? run.drafted : [] });
  }

  private refresh(): void {
    const { hunks } = this.review.brief;
    this.view.badge = hunks === 0 ? undefined : { value: hunks, tooltip: `${count(hunks, "hunk")} to review` };
    const drawn = JSON.stringify(this.tops(), (key, value: unknown) => UNSHOWN.has(key) ? undefined : value);
    if (drawn === this.drawn) return; // a tree that is drawn anew loses the mouse and costs what all of it costs
    this.drawn = drawn;
    this.changed.fire();
  }
}

/** Whether the argument of a command is a row of the desk. */
export function isRow(given: unknown): given is Row {
  return typeof given === "object" && given !== null && "is" in given;
}
