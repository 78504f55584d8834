// Wires: the server's events go to the rooms that show them, the user's commands go to the server.
import { commands, Uri, window, workspace, type ExtensionContext } from "vscode";
import { Checks } from "./checks";
import { Server, type Crash, type Mismatch, type ServerState } from "./client";
import { executeCommand, registerPalette, type Rooms } from "./commands";
import { askConsent } from "./consent";
import { Desk } from "./desk";
import { closeDrafts, inFront } from "./diffs";
import { Installed } from "./installing";
import { Marks } from "./marks";
import { Editing } from "./editing";
import { heardOfModel } from "./models";
import { OutlineGate } from "./outline";
import type { Event, RunEnded, Status } from "./protocol.gen";
import { Review } from "./review";
import { Runs } from "./runs";
import { saveWhatWasClean } from "./saving";
import { SERVER_COMMAND } from "./settings";
import { StatusBar } from "./status";
import { help, say, sayFailure, sentences } from "./words";

let server: Server | undefined;

/** Returns before the server has started: VS Code waits for this, and people for VS Code. */
export function activate(context: ExtensionContext): void {
  const house = new House(context);
  server = house.server;
  context.subscriptions.push(house);
  void house.open();
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}

/** What is there before the rooms are. */
class Ground {
  readonly log = window.createOutputChannel("Inglenook", { log: true });
  readonly installed: Installed;

  constructor(context: ExtensionContext) {
    this.installed = new Installed(context, this.log);
  }
}

/** The rooms, and what goes from one to the other. */
class House extends Ground implements Rooms {
  readonly server: Server = new Server(this.log, this.installed, {
    executeCommand: (command, args: unknown[]) => executeCommand(this, command, args[0]),
    provideCodeLenses: (document, token, next) => this.review.isLeft(document.uri) ? [] : next(document, token),
    workspace: { handleApplyEdit: saveWhatWasClean },
  });
  readonly checks = new Checks();
  readonly review = new Review(this.server, (proposal) => this.checks.agreed(proposal));
  readonly desk = new Desk(this.review);
  readonly editing = new Editing(this.server, this.review);
  readonly runs = new Runs(async (runId) => { await this.server.ask("inglenook.run.cancel", { runId }).catch(sayFailure); });
  readonly outline = new OutlineGate(
    (runId) => this.runs.title(runId),
    async (answer) => { await this.server.ask("inglenook.outline.decide", answer).catch(sayFailure); },
  );
  private readonly statusBar = new StatusBar();
  private readonly marks = new Marks(this.review, this.server);
  private state: ServerState = { is: "starting" };
  private status: Status | undefined;
  private retryAt: number | undefined;

  private readonly listeners = [
    this.server.onEvent((event) => void this.hear(event)),
    this.server.onState((state) => void this.became(state)),
    this.server.onCrash((crash) => void sayCrash(crash)),
    this.server.onMismatch((versions) => void sayMismatch(versions)),
    this.runs.onChange(() => { this.refresh(); }),
    this.outline.onChange(() => { this.refresh(); }),
    this.review.onChange(() => { this.refresh(); }),
    window.onDidChangeActiveTextEditor(() => { this.refresh(); }),
    window.tabGroups.onDidChangeTabs(() => { setContext("inReview", inFront()); }),
    window.tabGroups.onDidChangeTabGroups(() => { setContext("inReview", inFront()); }),
    workspace.onDidChangeConfiguration((event) => { if (event.affectsConfiguration(SERVER_COMMAND)) void this.open(); }),
    workspace.onDidChangeWorkspaceFolders(({ added }) => {
      if (added.length > 0 && added.length === workspace.workspaceFolders?.length) void this.open();
    }),
    ...registerPalette(this),
  ];

  /** Starts the server if there is a folder for it to work in. */
  async open(): Promise<void> {
    if (workspace.workspaceFolders?.[0] !== undefined) await this.server.start();
  }

  dispose(): void {
    for (const each of [...this.listeners, this.runs, this.outline, this.desk, this.editing, this.review, this.marks, this.statusBar, this.checks, this.server, this.log]) each.dispose();
  }

  private async hear(event: Event): Promise<void> {
    this.runs.fold(event);
    this.desk.fold(event);
    switch (event.type) {
      case "statusChanged": this.stands(event.status); break;
      case "runOutline": this.outline.ask(event); break;
      case "runConsent": await askConsent(this.server, event, this.runs.title(event.runId)); break;
      case "proposalChanged": await this.review.fold(event.proposal); break;
      case "answerReady": await commands.executeCommand("markdown.showPreview", Uri.parse(event.uri)); break;
      case "runEnded": await this.ended(event); break;
      case "modelNews": heardOfModel(event); break;
      case "runSpeed": this.hasten(event.tokensPerSecond); break;
      case "runStarted": case "runPhase": case "runText": case "runPrefill": case "runTool": case "runDrafted": case "runNote": break;
    }
  }

  /** A run is over: its proposal comes into view if the user stayed with it, and what is to be said is said once. */
  private async ended(run: RunEnded): Promise<void> {
    const { proposalId: id } = run;
    const title = this.runs.title(run.runId);
    const stayed = this.runs.ended(run);
    this.outline.forget(run.runId);
    await closeDrafts(run.runId);
    if (id !== null && stayed) await this.review.show(id).catch(sayFailure);
    const waits = id !== null && !stayed ? { "Show Proposal": () => this.review.show(id).catch(sayFailure) } : {};
    const failing = this.checks.heard(id === null ? null : this.review.verdict(id));
    const ended = ["failed", "limited", "nothing"].includes(run.state) ? sentences(run.words, run.hint) : "";
    const words = sentences("Show Proposal" in waits ? `“${title}” is ready to review.` : "", ended, failing.words);
    if (words === "") return;
    const how = run.state === "failed" ? "error" : run.state === "limited" || failing.words !== "" ? "warning" : "info";
    void say(how, words, { ...waits, ...failing.buttons, ...(run.state === "failed" ? help(run.code) : {}) });
  }

  private async became(state: ServerState): Promise<void> {
    this.state = state;
    if (state.is === "ready") {
      this.refresh();
      await this.review.load().catch((error: unknown) => { this.log.warn(`the proposals could not be asked for: ${String(error)}`); });
      this.stands(await this.server.ask("inglenook.endpoint.status", {}).catch(() => undefined));
    } else {
      this.stands(undefined);
      this.runs.clear();
      this.desk.clear();
      this.outline.forget();
      await closeDrafts();
      await this.review.clear();
    }
    this.refresh();
  }

  /** How the model's server is. A countdown begins now. */
  private stands(status: Status | undefined): void {
    this.status = status;
    this.retryAt = status?.retryIn == null ? undefined : Date.now() + 1000 * status.retryIn;
    this.refresh();
  }

  private hasten(tokensPerSecond: number): void {
    if (this.status !== undefined && tokensPerSecond > 0) this.status = { ...this.status, tokensPerSecond };
    this.refresh();
  }

  private refresh(): void {
    const { review, runs, outline, retryAt } = this;
    const running = runs.titles.size;
    this.statusBar.show({ server: this.state, status: this.status, retryAt, running, outlineWaits: outline.waits, review: review.brief });
    setContext("ready", this.state.is === "ready");
    setContext("running", running > 0);
    setContext("reviewing", review.brief.hunks > 0);
    setContext("inFile", review.waitingIn(window.activeTextEditor?.document.uri).length > 0);
  }
}

const contexts = new Map<string, boolean>(); // as VS Code was told them last

function setContext(key: string, value: boolean): void {
  if (contexts.get(key) === value) return;
  contexts.set(key, value);
  void commands.executeCommand("setContext", `inglenook.${key}`, value);
}

async function sayCrash({ why, then }: Crash): Promise<void> {
  const buttons = { "Show Log": () => commands.executeCommand("inglenook.showLog") };
  const install = { Install: () => commands.executeCommand("inglenook.install") };
  const again = { "Start Again": () => commands.executeCommand("inglenook.restart") };
  const settings = { "Open Settings": () => commands.executeCommand("workbench.action.openSettings", SERVER_COMMAND) };
  switch (then) {
    case "restarted":
      return say("warning", `Inglenook's server stopped (${why}) and was started again. Runs under way ended, and nothing of them was written; what was in review is on the desk again.`, buttons);
    case "stopped":
      return say("error", `Inglenook's server stopped again (${why}).`, { ...again, ...buttons });
    case "not started":
      return say("error", `Inglenook's server could not be started: ${why}. It can be installed for this extension, in a Python environment of its own; or set where it is.`, { ...install, ...settings, ...again, ...buttons });
  }
}

async function sayMismatch({ server, extension }: Mismatch): Promise<void> {
  const install = { [`Install ${extension}`]: () => commands.executeCommand("inglenook.install") };
  const settings = { "Open Settings": () => commands.executeCommand("workbench.action.openSettings", SERVER_COMMAND) };
  return say("warning", `Inglenook's server is version ${server}, and this extension ${extension}: some things may not work.`, { ...install, ...settings });
}
