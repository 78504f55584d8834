// Asking again: the person's words on a proposal, a file or a hunk become a new run, whose proposal takes the old one's place; and
// fitting again what the person has typed into.
import { ProgressLocation, QuickPickItemKind, window, type QuickPickItem } from "vscode";
import type { Server } from "./client";
import { isRow } from "./desk";
import { holds, standsIn, waiting } from "./hunks";
import type { AskAgain, ModelBrief, ProposalView, RefitHunks } from "./protocol.gen";
import type { Review } from "./review";
import { BRIEFLY_MS, say, short } from "./words";

/** Which model is asked, instead of the one that runs use. */
type Instead = Pick<AskAgain, "model" | "url" | "via" | "hosted">;
interface ModelRow extends QuickPickItem { model?: ModelBrief }

/** Asks for the words, then starts the run; does nothing when the user turns away. `given`: a row of the desk, or what a light bulb names. */
export async function askAgain(server: Server, review: Review, given: unknown, instead: Instead = {}): Promise<void> {
  const meant = wishOf(review, given);
  if (meant === undefined) {
    window.setStatusBarMessage("$(info) There is no proposal to ask again", BRIEFLY_MS);
    return;
  }
  const words = await window.showInputBox({
    title: instead.model === undefined ? "Agent: Ask Again" : `Agent: Ask Again on ${instead.model}`,
    prompt: `What should be otherwise? ${meant.about} Enter alone: another try.`,
    placeHolder: "e.g. keep the old name, and add no new file",
    ignoreFocusOut: true,
  });
  if (words !== undefined) await server.ask("inglenook.review.again", { ...meant.wish, words: words.trim(), ...instead });
}

/** Asks again on another model, for this task alone: of any server of this machine or of the box, or the hosted one. */
export async function askAgainWith(server: Server, review: Review, given: unknown): Promise<void> {
  const looking = { location: ProgressLocation.Window, title: "Looking for models" };
  const { models, hosted } = await window.withProgress(looking, () => server.ask("inglenook.models.list", {}));
  const others = models.filter((each) => !each.used && !each.remote);
  if (others.length + hosted.length === 0) {
    window.setStatusBarMessage("$(info) No other model is there to be asked; “Agent: Select Model…” shows all", BRIEFLY_MS);
    return;
  }
  const rows = [...others.map(modelRow), ...away(hosted)];
  const options = { title: "Agent: Ask Again", placeHolder: "For this task alone", matchOnDescription: true, matchOnDetail: true };
  const model = (await window.showQuickPick<ModelRow>(rows, options))?.model;
  if (model === undefined) return;
  const { name, url, via } = model;
  await askAgain(server, review, given, hosted.includes(model) ? { model: name, hosted: true } : { model: name, url, via });
}

/** Fits hunks again that the user has typed into: those of a row, of a link, of the place of the cursor, else all that do not fit. */
export async function refit(server: Server, review: Review, given: unknown): Promise<void> {
  const wish = unfitOf(review, given);
  if (wish === undefined) {
    window.setStatusBarMessage("$(info) All that was proposed fits", BRIEFLY_MS);
    return;
  }
  const came = await server.ask("inglenook.review.refit", wish);
  await review.fold(came.proposal);
  if (came.runId === null) window.setStatusBarMessage(`$(sync) ${came.words}`, BRIEFLY_MS);
  else await say("info", came.words);
}

function modelRow(model: ModelBrief): ModelRow {
  const mark = model.fits === false ? "$(warning) " : "";
  return { label: `${mark}${model.name}`, description: model.facts.join(" · "), detail: model.endpoint, model };
}

/** Models on somebody else's machine stand apart. */
function away(hosted: readonly ModelBrief[]): ModelRow[] {
  if (hosted.length === 0) return [];
  const rows = hosted.map((model) => ({ label: `$(cloud) ${model.name}`, description: model.facts.join(" · "), detail: model.endpoint, model }));
  return [{ label: "Not on this machine", kind: QuickPickItemKind.Separator }, ...rows];
}

function wishOf(review: Review, given: unknown): { wish: AskAgain; about: string } | undefined {
  const row = isRow(given) ? given : undefined;
  if (row?.is === "hunk") return { wish: { proposalId: row.proposal.id, hunks: [row.hunk.id] }, about: `In ${row.file.path}, ${row.hunk.header}.` };
  if (row?.is === "file") return { wish: { proposalId: row.proposal.id, uri: row.file.uri }, about: `In ${row.file.path}.` };
  const named = row === undefined ? namedIn(review, given) : undefined;
  if (named !== undefined) return { wish: named, about: aboutHunks(review, named) };
  const proposal = row?.is === "proposal" ? row.proposal : review.current ?? review.all[0];
  return proposal === undefined ? undefined : { wish: { proposalId: proposal.id }, about: `“${short(proposal.title)}”: what you accepted stays.` };
}

/** What a light bulb, a lens or a link names: a proposal that is known, and hunks or a file of it. */
function namedIn(review: Review, given: unknown): RefitHunks | undefined {
  const known = typeof given === "object" && given !== null && "proposalId" in given && review.all.some(({ id }) => id === given.proposalId);
  return known ? given as RefitHunks : undefined;
}

function aboutHunks(review: Review, { proposalId, hunks }: AskAgain): string {
  const proposal = review.all.find(({ id }) => id === proposalId);
  const found = proposal?.files.flatMap((file) => file.hunks.filter(({ id }) => hunks?.includes(id)).map((hunk) => `${file.path}, ${hunk.header}`)) ?? [];
  return found.length === 0 ? "What you accepted stays." : `In ${found.join("; ")}.`;
}

/** The hunks to fit; undefined where there are none. */
function unfitOf(review: Review, given: unknown): RefitHunks | undefined {
  if (isRow(given)) return given.is === "hunk" ? { proposalId: given.proposal.id, hunks: [given.hunk.id] } : "proposal" in given ? allOf(given.proposal) : undefined;
  const named = namedIn(review, given);
  if (named !== undefined) return named;
  return underCursor(review) ?? review.all.map(allOf).find((wish) => wish !== undefined);
}

function underCursor(review: Review): RefitHunks | undefined {
  const editor = window.activeTextEditor;
  const line = editor?.selection.active.line ?? 0;
  const found = review.waitingIn(editor?.document.uri).find(({ waiting: each }) => each.hunk.refit && holds(standsIn(each), line));
  return found === undefined ? undefined : { proposalId: found.proposal.id, hunks: [found.waiting.hunk.id] };
}

function allOf(proposal: ProposalView): RefitHunks | undefined {
  const hunks = waiting(proposal).filter(({ hunk }) => hunk.refit).map(({ hunk }) => hunk.id);
  return hunks.length === 0 ? undefined : { proposalId: proposal.id, hunks };
}
