// The commands of the palette, and those of the server that need a hand here (from lenses, light bulbs and notifications).
import { commands, ProgressLocation, window, workspace, type Disposable, type LogOutputChannel, type Uri } from "vscode";
import { askAgain, askAgainWith, refit } from "./again";
import type { Checks } from "./checks";
import type { Server } from "./client";
import { playDemo } from "./demo";
import { isRow, type Desk } from "./desk";
import { showDraft } from "./diffs";
import { fileInFront, type Editing } from "./editing";
import type { Installed } from "./installing";
import { checkSetup, pullModel, selectModel } from "./models";
import type { OutlineGate } from "./outline";
import { PALETTE, type Commands, type DecideHunks, type HunkRef, type ProposalRef, type RunDrafted, type StartRun } from "./protocol.gen";
import { closeRemote, openRemote, serveRemote } from "./remote";
import type { Review } from "./review";
import { showReport, showUnfit, writeCommitMessage } from "./reporting";
import { rollBack } from "./rollback";
import type { Runs } from "./runs";
import { SERVER_COMMAND, serverCommand } from "./settings";
import { setUpChecks } from "./setup";
import { taskHere, withWords, type Kind } from "./task";
import { chooseTeamCommand } from "./team";
import { BRIEFLY_MS, say, sayFailure, sentences, short } from "./words";

const WALKTHROUGH = "inglenook.inglenook#start";

/** What commands act on. */
export interface Rooms { server: Server; runs: Runs; outline: OutlineGate; review: Review; desk: Desk; checks: Checks; editing: Editing; installed: Installed; log: LogOutputChannel }

type PaletteId = (typeof PALETTE)[number]["id"];
/** Commands that only our own buttons and links use: they need an argument. */
type Inner = "inglenook.showDraft" | "inglenook.showOutline" | "inglenook.decide" | "inglenook.showHunk" | "inglenook.showVerdict";
type Action = (argument: unknown, more?: unknown) => unknown;

/** Registers every command of the palette. Whatever goes wrong in one is said. */
export function registerPalette(rooms: Rooms): Disposable[] {
  const actions: Record<PaletteId | Inner, Action> = {
    ...startActions(rooms),
    ...reviewActions(rooms),
    "inglenook.cancel": (argument) => cancel(rooms, argument),
    "inglenook.undoDecision": () => rooms.review.undo(),
    "inglenook.askAgain": (given) => askAgain(rooms.server, rooms.review, given),
    "inglenook.askAgainWith": (given) => askAgainWith(rooms.server, rooms.review, given),
    "inglenook.refit": (given) => refit(rooms.server, rooms.review, given),
    "inglenook.editProposal": (row) => editProposal(rooms, row),
    "inglenook.checkAgain": (row) => checkAgain(rooms, row),
    "inglenook.rollback": () => rollBackAndShow(rooms),
    "inglenook.unfit": () => showUnfit(rooms.server),
    "inglenook.report": () => showReport(rooms.server),
    "inglenook.commitMessage": (repository) => writeCommitMessage(rooms.server, repository as { rootUri?: Uri } | undefined),
    "inglenook.walkthrough": () => commands.executeCommand("workbench.action.openWalkthrough", WALKTHROUGH, false),
    "inglenook.demo": async () => playDemo(await rooms.installed.program()),
    "inglenook.team": () => beginTeamCommand(rooms),
    "inglenook.checks": () => setUpChecks(rooms.server),
    "inglenook.selectEndpoint": () => lookForModel(rooms),
    "inglenook.selectModel": () => selectModel(rooms.server),
    "inglenook.pullModel": () => pullModel(rooms.server),
    "inglenook.checkSetup": () => checkSetup(rooms.server),
    "inglenook.remote.open": () => openRemote(rooms.server),
    "inglenook.remote.close": () => closeRemote(rooms.server),
    "inglenook.remote.serve": () => serveRemote(rooms.server),
    "inglenook.showLog": () => { rooms.log.show(); },
    "inglenook.install": () => install(rooms),
    "inglenook.restart": () => restart(rooms),
    "inglenook.showDraft": (argument) => showDraft(argument as RunDrafted),
    "inglenook.showOutline": () => { rooms.outline.show(); },
    "inglenook.decide": (argument) => rooms.review.decide(argument as DecideHunks),
    "inglenook.showVerdict": (argument) => { rooms.checks.show(rooms.review.verdict((argument as { proposalId: string }).proposalId)); },
    "inglenook.showHunk": (argument, stay) => rooms.review.showHunk(argument as HunkRef, stay === true),
  };
  return Object.entries(actions).map(([id, action]) => commands.registerCommand(id, (argument: unknown, more: unknown) => guarded(() => action(argument, more))));
}

/** The server's own commands as they come from lenses and light bulbs. */
export async function executeCommand(rooms: Rooms, command: string, argument: unknown): Promise<unknown> {
  return guarded(() => {
    switch (command) {
      case "inglenook.run.start": return begin(rooms, argument as StartRun);
      case "inglenook.review.decide": return rooms.review.decide(argument as DecideHunks);
      case "inglenook.review.refit": return refit(rooms.server, rooms.review, argument);
      case "inglenook.review.show": return showProposal(rooms.review, argument as ProposalRef | undefined);
      default: return rooms.server.ask(command as keyof Commands, argument ?? {});
    }
  });
}

async function showProposal(review: Review, { proposalId = null, hunk = null }: ProposalRef = {}): Promise<void> {
  await (proposalId === null || hunk === null ? review.show(proposalId) : review.showHunk({ proposalId, hunk }));
}

async function editProposal({ review, editing }: Rooms, row: unknown): Promise<void> {
  const given = isRow(row) && (row.is === "file" || row.is === "hunk") ? row : undefined;
  const proposal = given?.proposal ?? review.current;
  const file = given?.file ?? (proposal === undefined ? undefined : fileInFront(proposal, window.activeTextEditor?.document.uri));
  if (proposal !== undefined && file !== undefined) await editing.open(proposal, file);
  else window.setStatusBarMessage("$(info) Put the cursor into a file of the proposal first", BRIEFLY_MS);
}

async function checkAgain({ server, review, checks }: Rooms, row: unknown): Promise<void> {
  const proposal = isRow(row) && "proposal" in row ? row.proposal : review.current;
  if (proposal === undefined) return;
  const options = { location: ProgressLocation.Window, title: "Running the checks" };
  const told = await window.withProgress(options, () => server.ask("inglenook.review.check", { proposalId: proposal.id }));
  await review.fold(told);
  const { words, buttons } = checks.heard(told.verdict);
  if (words !== "") await say("warning", sentences(`“${short(told.title)}”:`, words), buttons);
}

async function rollBackAndShow({ server, review }: Rooms): Promise<void> {
  const proposalId = await rollBack(server);
  if (proposalId !== undefined) await review.show(proposalId);
}

/** Asks for the words, then starts the run. */
async function askAndBegin(rooms: Rooms, task: StartRun): Promise<void> {
  const asked = await withWords(task);
  if (asked !== undefined) await begin(rooms, asked);
}

async function beginTeamCommand(rooms: Rooms): Promise<void> {
  const task = await chooseTeamCommand(rooms.server, (kind) => taskHere(kind, (uri) => rooms.review.realFile(uri)));
  if (task !== undefined) await begin(rooms, task);
}

async function begin({ server }: Rooms, task: StartRun): Promise<void> {
  await server.ask("inglenook.run.start", task);
}

function startActions(rooms: Rooms) {
  const asking = (kind: Kind): Action => (argument) =>
    askAndBegin(rooms, isTask(argument) ? argument : taskHere(kind, (uri) => rooms.review.realFile(uri)));
  return {
    "inglenook.refactor": asking("refactor"),
    "inglenook.edit": asking("edit"),
    "inglenook.fix": asking("fix"),
    "inglenook.tests": asking("tests"),
    "inglenook.document": asking("document"),
    "inglenook.explain": asking("explain"),
  };
}

function reviewActions({ review, desk }: Rooms) {
  return {
    "inglenook.review": () => review.show(),
    "inglenook.acceptHunk": () => review.decideHunk("accept"),
    "inglenook.rejectHunk": () => review.decideHunk("reject"),
    "inglenook.acceptFile": () => review.decideFile("accept"),
    "inglenook.rejectFile": () => review.decideFile("reject"),
    "inglenook.acceptAll": () => review.decideAll("accept"),
    "inglenook.rejectAll": () => review.decideAll("reject"),
    "inglenook.nextHunk": () => review.go(1),
    "inglenook.previousHunk": () => review.go(-1),
    "inglenook.desk.accept": (row: unknown) => desk.decide("accept", row),
    "inglenook.desk.reject": (row: unknown) => desk.decide("reject", row),
    "inglenook.desk.reopen": (row: unknown) => desk.decide("reopen", row),
  };
}

/** Cancels the run of a row of the desk, else the only one, else the one that is chosen. */
async function cancel({ server, runs }: Rooms, row: unknown): Promise<void> {
  const all = [...runs.titles].map(([runId, label]) => ({ runId, label }));
  const rows = isRow(row) && row.is === "run" ? all.filter(({ runId }) => runId === row.run.id) : all;
  const chosen = rows.length > 1 ? await window.showQuickPick(rows, { title: "Agent: Cancel Run", placeHolder: "Which one?" }) : rows[0];
  if (chosen !== undefined) await server.ask("inglenook.run.cancel", { runId: chosen.runId });
}

/** Makes the server's own environment, and starts what is in it, unless the user has set another program. */
async function install({ installed, server, log }: Rooms): Promise<void> {
  log.info(`installing version ${installed.version} of the server`);
  if (!(await installed.make())) return;
  await server.start();
  if (!serverCommand(await installed.program()).ours) {
    const clear = { "Use It": () => workspace.getConfiguration().update(SERVER_COMMAND, undefined, true).then(() => server.start()) };
    void say("warning", `It is installed, but the setting ${SERVER_COMMAND} names another program.`, clear);
  }
}

/** A restart ends runs: asked first, where one is under way. Proposals come back. */
async function restart({ server, runs }: Rooms): Promise<void> {
  if (runs.titles.size > 0) {
    const detail = "The run under way ends. Your files, and what is in review, stay as they are.";
    if (await window.showWarningMessage("Restart the agent's server?", { modal: true, detail }, "Restart") === undefined) return;
  }
  await server.start();
}

async function lookForModel({ server }: Rooms): Promise<void> {
  const options = { location: ProgressLocation.Window, title: "Looking for a model" };
  const status = await window.withProgress(options, () => server.ask("inglenook.endpoint.refresh", {}));
  if (status.state === "ready") window.setStatusBarMessage(`$(flame) ${status.model} at ${status.endpoint}`, 5000);
  else await say("warning", status.words || "No model answers on this machine.", endpointSettings);
}

const endpointSettings = { "Open Settings": () => commands.executeCommand("workbench.action.openSettings", "inglenook.endpoint") };

async function guarded(action: () => unknown): Promise<unknown> {
  try {
    return await action();
  } catch (error) {
    void sayFailure(error);
    return undefined;
  }
}

/** A light bulb of the server brings the task along; a menu brings a URI, which is not a task. */
function isTask(argument: unknown): argument is StartRun {
  return typeof argument === "object" && argument !== null && "kind" in argument;
}
