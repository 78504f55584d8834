// The runs that are under way: a notification with a Cancel button for each, and what the status bar needs to know.
import { EventEmitter, ProgressLocation, window, workspace, type CancellationToken, type Disposable, type Progress } from "vscode";
import type { Event, RunEnded, RunPhase, RunStarted } from "./protocol.gen";
import { count, short } from "./words";

/** A run as it is shown. `touched`: the user went on to something else meanwhile, so nothing may jump into view. */
interface Run { id: string; title: string; phase: string; tokens: number; speed: number; touched: boolean; progress?: Progress<{ message: string }>; end?: () => void }

/** The events that say how far a run is. */
type Step = Exclude<Event, { type: "runStarted" | "runOutline" | "runConsent" | "proposalChanged" | "answerReady" | "runEnded" | "statusChanged" | "modelNews" }>;

/** What a run is at, in words. */
export const PHASES = {
  connecting: "looking for a model",
  outlining: "making an outline",
  waiting: "the outline waits for you",
  working: "working",
  checking: "running the checks",
};

export class Runs implements Disposable {
  private readonly running = new Map<string, Run>();
  private readonly changed = new EventEmitter<void>();
  private readonly listeners: { dispose(): unknown }[];
  readonly onChange = this.changed.event;

  constructor(private readonly cancel: (runId: string) => Promise<void>) {
    this.listeners = [
      this.changed,
      window.onDidChangeActiveTextEditor((editor) => { if (editor?.document.uri.scheme === "file") this.touch(); }),
      workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (document.uri.scheme === "file" && contentChanges.length > 0) this.touch();
      }),
    ];
  }

  /** Titles by id of the runs that are under way, oldest first. */
  get titles(): ReadonlyMap<string, string> {
    return new Map([...this.running].map(([id, { title }]) => [id, title]));
  }

  /** The title of a run, of what came with it when it is over. */
  title(runId: string): string {
    return this.running.get(runId)?.title ?? "Agent";
  }

  /** Takes in an event of a run that is under way. */
  fold(event: Event): void {
    if (event.type === "runStarted") this.began(event);
    if (!isStep(event)) return;
    const run = this.running.get(event.runId);
    if (run === undefined) return;
    switch (event.type) {
      case "runPhase": this.entered(run, event); break;
      case "runTool": run.phase = event.ok ? `${event.tool} ${event.subject}` : `${event.tool} ${event.subject}: ${event.words}`; break;
      case "runDrafted": run.phase = event.lines > 0 ? `writing ${event.path}, ${count(event.lines, "line")}` : `edited ${event.path}`; break;
      case "runPrefill": run.phase = `reading ${Math.floor((100 * event.processed) / Math.max(1, event.total))} %`; break;
      case "runNote": run.phase = event.words; break;
      case "runText": run.phase = event.reasoning ? "thinking" : "writing"; break;
      case "runSpeed": run.tokens = event.outputTokens; run.speed = event.tokensPerSecond; break;
    }
    run.progress?.report({ message: line(run) });
  }

  /** A run is over. Says whether the user stayed with it, so that its result may come into view by itself. */
  ended({ runId }: RunEnded): boolean {
    const run = this.running.get(runId);
    run?.end?.();
    this.running.delete(runId);
    this.changed.fire();
    return run?.touched === false;
  }

  /** The server is gone, and every run with it. */
  clear(): void {
    for (const run of this.running.values()) run.end?.();
    this.running.clear();
    this.changed.fire();
  }

  dispose(): void {
    this.clear();
    for (const listener of this.listeners) listener.dispose();
  }

  private began({ runId, title }: RunStarted): void {
    const run: Run = { id: runId, title, phase: "starting", tokens: 0, speed: 0, touched: false };
    this.running.set(runId, run);
    this.changed.fire();
    const options = { location: ProgressLocation.Notification, title: `Agent: ${short(title)}`, cancellable: true };
    void window.withProgress(options, (progress, token) => this.show(run, progress, token));
  }

  private async show(run: Run, progress: Progress<{ message: string }>, token: CancellationToken): Promise<void> {
    run.progress = progress;
    progress.report({ message: line(run) });
    token.onCancellationRequested(() => void this.cancel(run.id));
    await new Promise<void>((resolve) => {
      run.end = resolve;
      if (!this.running.has(run.id)) resolve();
    });
  }

  private entered(run: Run, { phase, words }: RunPhase): void {
    run.phase = words || PHASES[phase];
    if (phase === "waiting" || phase === "checking") run.speed = 0; // nothing is written meanwhile
  }

  private touch(): void {
    for (const run of this.running.values()) run.touched = true;
  }
}

/** What a run is doing, in one line. */
function line({ phase, tokens, speed }: Run): string {
  return [phase, tokens > 0 ? count(tokens, "token") : "", speed > 0 ? `${speed.toFixed(0)} tok/s` : ""].filter((part) => part !== "").join(" · ");
}

function isStep(event: Event): event is Step {
  return ["runPhase", "runTool", "runDrafted", "runPrefill", "runNote", "runText", "runSpeed"].includes(event.type);
}
