// The status bar: the model and its speed, what runs, and what waits for the user.
import { hostname } from "node:os";
import { env, MarkdownString, StatusBarAlignment, ThemeColor, window, type Disposable, type StatusBarItem } from "vscode";
import { verdictWords } from "./checks";
import type { ServerState } from "./client";
import type { Status } from "./protocol.gen";
import type { Review } from "./review";
import { count, sentences } from "./words";

/** Everything that the status bar shows. `retryAt`: when a lost tunnel is tried again, in milliseconds of the clock. */
export interface Shown { server: ServerState; status: Status | undefined; retryAt: number | undefined; running: number; outlineWaits: boolean; review: Review["brief"] }

interface Look { text: string; words: string; command: string; colour?: string }

const NEARLY_FULL = 90; // per cent of the window
const SECOND_MS = 1000;
const PALETTE = { command: "workbench.action.quickOpen", title: "Agent commands", arguments: [">Agent: "] };

export class StatusBar implements Disposable {
  private readonly main = window.createStatusBarItem("inglenook.status", StatusBarAlignment.Right, 101);
  private readonly cancel = window.createStatusBarItem("inglenook.cancel", StatusBarAlignment.Right, 100.9);
  private readonly review = window.createStatusBarItem("inglenook.review", StatusBarAlignment.Right, 100.8);
  private ticking: NodeJS.Timeout | undefined; // while seconds are counted down

  constructor() {
    this.main.name = "Inglenook: Model";
    this.cancel.name = "Inglenook: Cancel";
    this.review.name = "Inglenook: Review";
    this.cancel.text = "$(debug-stop) Cancel";
    this.cancel.command = "inglenook.cancel";
    this.cancel.tooltip = "Cancel the agent's run";
    this.review.command = "inglenook.review";
  }

  /** Shows how things are now. */
  show(now: Shown): void {
    clearTimeout(this.ticking);
    if (secondsTo(now.retryAt) > 0) this.ticking = setTimeout(() => { this.show(now); }, SECOND_MS);
    const { text, words, command, colour } = look(now);
    this.main.text = text;
    this.main.tooltip = tooltip(now, words);
    this.main.command = command === "" ? PALETTE : command;
    this.main.backgroundColor = colour === undefined ? undefined : new ThemeColor(colour);
    this.main.accessibilityInformation = { label: `Agent: ${words}` };
    this.main.show();
    visible(this.cancel, now.running > 0);
    const { hunks, verdict } = now.review;
    this.review.text = `$(diff) ${count(hunks, "hunk")} to review · ${verdictWords(verdict)}`;
    this.review.tooltip = sentences("Show the agent's proposal. Nothing of it is written yet.", verdict?.words ?? "No checks were run on it.");
    visible(this.review, hunks > 0);
  }

  dispose(): void {
    clearTimeout(this.ticking);
    for (const item of [this.main, this.cancel, this.review]) item.dispose();
  }
}

function look(now: Shown): Look {
  const { server, status } = now;
  if (server.is === "starting") return { text: "$(loading~spin) Inglenook", words: "starting", command: "inglenook.showLog" };
  if (server.is === "stopped") {
    const words = `the server is stopped (${server.why}); click to start it again`;
    return { text: "$(error) Inglenook stopped", words, command: "inglenook.restart", colour: "statusBarItem.errorBackground" };
  }
  if (now.outlineWaits) {
    const words = "an outline waits for your answer; click to see it";
    return { text: "$(question) Outline waits", words, command: "inglenook.showOutline", colour: "statusBarItem.warningBackground" };
  }
  if (status?.state === "down") {
    const words = status.words || "no model answers; click to look again";
    return { text: "$(warning) No model", words, command: "inglenook.selectEndpoint", colour: "statusBarItem.warningBackground" };
  }
  if (now.running > 0 && status?.state !== "searching") return { text: `$(loading~spin) ${measured(status) || "Agent"}`, words: `working${speed(status)}`, command: "" };
  if (status?.state === "searching") return searching(status, now.retryAt);
  if (status?.state === "ready" && nearlyFull(status)) {
    const words = `${measured(status)}; the last request filled ${filled(status)} % of the window`;
    return { text: `$(warning) ${name(status)} · window ${filled(status)} % full`, words, command: "", colour: "statusBarItem.warningBackground" };
  }
  if (status?.state === "ready") return { text: `$(flame) ${measured(status)}`, words: measured(status), command: "" };
  return { text: "$(flame) Inglenook", words: "ready; a model is looked for when you give it a task", command: "" };
}

/** The tunnel's own words, when it was lost and is tried again. */
function searching({ words }: Status, retryAt: number | undefined): Look {
  if (words === "") return { text: "$(loading~spin) Looking for a model", words: "looking for a model", command: "inglenook.showLog" };
  const seconds = secondsTo(retryAt);
  const when = seconds > 0 ? ` in ${seconds} s` : "";
  return { text: `$(sync~spin) Reconnecting${when}`, words, command: "inglenook.showLog", colour: "statusBarItem.warningBackground" };
}

/** Whole seconds until then; 0 if that is now, over or never. */
function secondsTo(at: number | undefined): number {
  return Math.max(0, Math.ceil(((at ?? 0) - Date.now()) / SECOND_MS));
}

function filled({ used, window }: Status): number {
  return used === null || window === null ? 0 : Math.round((100 * used) / window);
}

function nearlyFull(status: Status): boolean {
  return filled(status) >= NEARLY_FULL;
}

function name(status: Status | undefined): string {
  return status?.model ?? "";
}

/** "qwen3-coder:30b · 43 tok/s · cached 97 %" */
function measured(status: Status | undefined): string {
  return name(status) === "" ? "" : `${name(status)}${speed(status)}${cached(status)}`;
}

function speed(status: Status | undefined): string {
  const rate = status?.tokensPerSecond ?? 0;
  return rate > 0 ? ` · ${rate < 10 ? rate.toFixed(1) : rate.toFixed(0)} tok/s` : "";
}

function cached(status: Status | undefined): string {
  return status?.cached == null ? "" : ` · cached ${Math.floor(status.cached * 100)} %`;
}

function tooltip({ server, status, running }: Shown, words: string): MarkdownString {
  const page = new MarkdownString("", true);
  page.isTrusted = { enabledCommands: ["inglenook.selectEndpoint", "inglenook.selectModel", "inglenook.checkSetup", "inglenook.showLog", "inglenook.restart", "workbench.action.openSettings"] };
  page.appendMarkdown("**Inglenook**\n\n");
  if (server.is === "ready" && status?.state === "ready") {
    page.appendMarkdown(`${code(status.model)}${speed(status)}${cached(status)}\n\nServed at ${code(status.endpoint)}`);
    if (status.tunnel !== "") page.appendMarkdown(`, tunnel ${status.tunnel}`);
    page.appendMarkdown(windowWords(status));
    if (running > 0) page.appendMarkdown(`\n\n${count(running, "run")} under way`);
  } else {
    page.appendText(words);
  }
  if (env.remoteName !== undefined) page.appendMarkdown(`\n\nThe agent runs where the folder is: “this machine” is ${code(hostname())}.`);
  const settings = encodeURIComponent(JSON.stringify("inglenook."));
  page.appendMarkdown("\n\n---\n\n[$(search) Look for a Model](command:inglenook.selectEndpoint) · [$(list-selection) Select Model…](command:inglenook.selectModel) · ");
  page.appendMarkdown("[$(checklist) Check Setup](command:inglenook.checkSetup) · ");
  page.appendMarkdown(`[$(gear) Settings](command:workbench.action.openSettings?${settings}) · [$(output) Log](command:inglenook.showLog)`);
  return page;
}

function windowWords({ window, used }: Status): string {
  if (window === null) return used === null ? "" : `\n\nThe last request took ${used.toLocaleString("en")} tokens.`;
  const share = used === null ? "" : `, ${used.toLocaleString("en")} of them (${Math.round((100 * used) / window)} %) used by the last request`;
  return `\n\nWindow: ${window.toLocaleString("en")} tokens${share}.`;
}

/** Words of a server as they are: no link, no mark-up. */
function code(words: string): string {
  return `\`${words.replaceAll("`", "'")}\``;
}

function visible(item: StatusBarItem, shown: boolean): void {
  if (shown) item.show();
  else item.hide();
}
