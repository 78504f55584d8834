// What the checks said of a proposal: in a few words, in full in an output channel of its own, and asked about before what fails is accepted.
import { window, type Disposable } from "vscode";
import type { ProposalView, VerdictView } from "./protocol.gen";

const SHORT = { passed: "checks passed", failed: "checks fail", not_run: "not checked", timed_out: "checks timed out" };
const MOST_FAILURES = 5; // in a question; the output has all

const ACCEPT = "Accept Anyway";
const OUTPUT = "Show Output";

/** The verdict in two or three words. */
export function verdictWords(verdict: VerdictView | null): string {
  return verdict?.state === "failed" && !verdict.breaks ? "checks fail as before" : SHORT[verdict?.state ?? "not_run"];
}

export class Checks implements Disposable {
  private readonly output = window.createOutputChannel("Inglenook Checks");
  private readonly settled = new Set<string>(); // proposals that are accepted although checks fail: not asked about again

  /** What is to be told of checks, with their output behind a button: nothing if they passed. */
  heard(verdict: VerdictView | null): { words: string; buttons: Record<string, () => void> } {
    if (verdict === null || !fails(verdict)) return { words: "", buttons: {} };
    this.write(verdict);
    return { words: `Its checks did not pass: ${verdict.words}`, buttons: { [OUTPUT]: () => { this.output.show(true); } } };
  }

  /** Whether something of a proposal may be accepted: yes, unless checks fail with it and the user then thinks better of it. */
  async agreed({ id, verdict }: ProposalView): Promise<boolean> {
    if (verdict === null || !fails(verdict) || this.settled.has(id)) return true;
    const words = verdict.state === "failed" ? "Checks fail with this change." : "Checks did not come to an end with this change.";
    const detail = [verdict.words, ...failures(verdict), "You are asked once for each proposal."].join("\n");
    const chosen = await window.showWarningMessage(words, { modal: true, detail }, ACCEPT, OUTPUT);
    if (chosen === OUTPUT) this.show(verdict);
    if (chosen === ACCEPT) this.settled.add(id);
    return chosen === ACCEPT;
  }

  /** Shows what the checks said, word for word. */
  show(verdict: VerdictView | null): void {
    if (verdict === null) return;
    this.write(verdict);
    this.output.show(true);
  }

  dispose(): void {
    this.output.dispose();
  }

  private write({ words, checks }: VerdictView): void {
    const pages = checks.map(({ name, state, seconds, words: said, new: fresh, tail }) => [
      `== ${name}: ${state.replace("_", " ")} after ${seconds.toFixed(1)} s. ${said}`,
      ...fresh.map((failure) => `   new: ${failure}`),
      tail,
    ].join("\n"));
    this.output.replace([words, ...pages].join("\n\n"));
  }
}

/** Whether the proposal makes something fail, or nobody knows; what fails without it too speaks against nothing. */
function fails({ state, breaks }: VerdictView): boolean {
  return breaks || state === "timed_out";
}

/** The new failures, as many as a question has room for. */
function failures({ checks }: VerdictView): string[] {
  const all = checks.flatMap(({ new: fresh }) => fresh).map((failure) => `• ${failure}`);
  return all.length <= MOST_FAILURES ? all : [...all.slice(0, MOST_FAILURES), `… and ${all.length - MOST_FAILURES} more`];
}
