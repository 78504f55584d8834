// Finding one's way in a proposal: which hunks wait, which one the cursor is in, which one comes next.
import type { FileView, HunkView, ProposalView, Range } from "./protocol.gen";
import { count } from "./words";

/** A hunk that waits for a decision, and its file. */
export interface Waiting { file: FileView; hunk: HunkView }

/** A line of a document. */
export interface Place { uri: string; line: number }

/** All hunks that wait, in the order of the files and of their lines. */
export function waiting(proposal: ProposalView): Waiting[] {
  return proposal.files.flatMap((file) => file.hunks.filter((hunk) => hunk.decision === "pending").map((hunk) => ({ file, hunk })));
}

/** The file that a document belongs to: the real file, or one of the two sides of the diff. */
export function fileOf(proposal: ProposalView, uri: string): FileView | undefined {
  return proposal.files.find((file) => [file.uri, file.resultUri, file.baseUri, file.toUri].includes(uri));
}

/** The hunks that wait in a real file, by its name before and after. */
export function waitingIn(proposal: ProposalView, uri: string): Waiting[] {
  return waiting(proposal).filter((each) => standsIn(each) !== null && (each.file.uri === uri || each.file.toUri === uri));
}

/** Where a hunk stands in the real file, or would have stood if it still fitted; null where it has no place. */
export function standsIn({ hunk }: Waiting): Range | null {
  return hunk.range ?? hunk.near;
}

/** What a hunk does, in a few words. */
export function change({ kind, header, added, removed }: HunkView): string {
  if (kind !== "text") return kind === "delete" ? `delete the file (${count(removed, "line")})` : header;
  if (removed === 0) return `${count(added, "line")} to add`;
  return added === 0 ? `${count(removed, "line")} to remove` : `${count(removed, "line")} to replace with ${added}`;
}

/** Where a hunk stands in the document `uri`; undefined where it has no lines there, as a rename has none. */
export function rangeIn({ file, hunk }: Waiting, uri: string): Range | undefined {
  return (uri === file.resultUri ? hunk.resultRange : hunk.range) ?? undefined;
}

/** The hunk at a place: the one whose lines hold it; in a diff, where there is nothing else to mean, also the only one of its file. */
export function hunkAt(proposal: ProposalView, place: Place): Waiting | undefined {
  const inFile = hunksOf(proposal, place);
  const only = inFile.length === 1 && inFile[0]?.file.uri !== place.uri ? inFile[0] : undefined;
  return inFile.find((each) => holds(rangeIn(each, place.uri), place.line)) ?? only;
}

/** The hunk to go to from a place, across files and around the end; undefined when none waits. */
export function neighbour(proposal: ProposalView, place: Place | undefined, step: 1 | -1): Waiting | undefined {
  const all = waiting(proposal);
  const inFile = place === undefined ? [] : hunksOf(proposal, place);
  if (place === undefined || inFile.length === 0) return step === 1 ? all[0] : all.at(-1);
  const line = (each: Waiting) => rangeIn(each, place.uri)?.start.line ?? 0;
  const here = inFile.find((each) => holds(rangeIn(each, place.uri), place.line));
  const beyond = inFile.filter((each) => each !== here && (step === 1 ? line(each) > place.line : line(each) < place.line));
  const next = step === 1 ? beyond[0] : beyond.at(-1);
  if (next !== undefined) return next;
  const edge = step === 1 ? inFile.at(-1) : inFile[0];
  return all.at((all.findIndex((each) => each.hunk === edge?.hunk) + step) % all.length);
}

function hunksOf(proposal: ProposalView, { uri }: Place): Waiting[] {
  const file = fileOf(proposal, uri);
  return waiting(proposal).filter((each) => each.file === file);
}

/** Whether a line is one of those of a range; an end at the start of a line does not reach it. */
export function holds(range: Range | null | undefined, line: number): boolean {
  if (range == null) return false;
  const end = range.end.character === 0 && range.end.line > range.start.line ? range.end.line - 1 : range.end.line;
  return range.start.line <= line && line <= end;
}
