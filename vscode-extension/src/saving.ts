// Saves what an accepted edit changed, where it was saved before: a file with unsaved work of the user stays unsaved.
import { Uri, workspace } from "vscode";
import type { ApplyWorkspaceEditParams, ApplyWorkspaceEditRequest, ApplyWorkspaceEditResult, HandlerResult } from "vscode-languageclient/node";

/** The client's middleware for `workspace/applyEdit`. */
export async function saveWhatWasClean(
  params: ApplyWorkspaceEditParams,
  next: ApplyWorkspaceEditRequest.HandlerSignature,
): Promise<Awaited<HandlerResult<ApplyWorkspaceEditResult, void>>> {
  const unsaved = new Set(workspace.textDocuments.filter((document) => document.isDirty).map((document) => document.uri.toString()));
  const result = await next(params, { isCancellationRequested: false, onCancellationRequested: () => ({ dispose: () => undefined }) });
  if ("applied" in result && result.applied) {
    const clean = editedUris(params).filter((uri) => !unsaved.has(uri.toString()));
    await Promise.all(clean.map(async (uri) => (await workspace.openTextDocument(uri)).save()));
  }
  return result;
}

function editedUris({ edit }: ApplyWorkspaceEditParams): Uri[] {
  const uris = new Set<string>();
  for (const change of edit.documentChanges ?? []) {
    if ("textDocument" in change) uris.add(change.textDocument.uri);
    else if (change.kind === "rename" && uris.delete(change.oldUri)) uris.add(change.newUri);
  }
  return [...uris].map((uri) => Uri.parse(uri));
}
