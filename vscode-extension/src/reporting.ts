// "Show Report" and "Write Commit Message": what the server made is shown where it belongs; nothing is committed.
import { commands, env, extensions, ProgressLocation, Uri, window, workspace } from "vscode";
import type { Server } from "./client";
import { say } from "./words";

/** The report as a page; the charts open in a browser, if somebody wants them. */
export async function showReport(server: Server): Promise<void> {
  const { uri, charts } = await server.ask("inglenook.report.show", { since: "30d", compare: [] });
  await commands.executeCommand("markdown.showPreview", Uri.parse(uri));
  if (charts !== "") void say("info", "The report has charts, too.", { "Open Charts": () => env.openExternal(Uri.parse(charts)) });
}

/** What of a proposal does not fit the files as they are, three ways, as a read-only document. */
export async function showUnfit(server: Server): Promise<void> {
  const { uri } = await server.ask("inglenook.review.unfit", { proposalId: null, hunk: null });
  await window.showTextDocument(await workspace.openTextDocument(Uri.parse(uri)), { preview: true });
}

/** What the built-in git extension gives others: as much of it as is used here. */
interface GitRepository { rootUri: Uri; inputBox: { value: string } }
interface GitExtension { getAPI: (version: 1) => { repositories: GitRepository[] } }

/**
 * Puts a message into the input box of a repository: the `chosen` one, else that of the file in front, else the first; into a new
 * document where there is none. What stands there is not lost.
 */
export async function writeCommitMessage(server: Server, chosen: { rootUri?: Uri } | undefined): Promise<void> {
  const git = extensions.getExtension<GitExtension>("vscode.git");
  const repositories = git === undefined ? [] : (git.isActive ? git.exports : await git.activate()).getAPI(1).repositories;
  const open = window.activeTextEditor?.document.uri;
  const repository = repositories.find(({ rootUri }) => rootUri.path === chosen?.rootUri?.path)
    ?? repositories.find(({ rootUri }) => open?.path.startsWith(`${rootUri.path}/`)) ?? repositories.at(0);
  const asking = () => server.ask("inglenook.commit.message", { uri: repository?.rootUri.toString() ?? null });
  const { whole, withheld } = await window.withProgress({ location: ProgressLocation.SourceControl, title: "Writing a commit message" }, asking);
  if (repository === undefined) await window.showTextDocument(await workspace.openTextDocument({ language: "git-commit", content: whole }));
  else if (repository.inputBox.value.trim() === "") repository.inputBox.value = whole;
  else repository.inputBox.value = `${whole}\n${repository.inputBox.value}`;
  if (withheld > 0) await say("warning", `${String(withheld)} staged file(s) are kept from models, so the message says nothing of them.`);
  if (repository !== undefined) await commands.executeCommand("workbench.view.scm");
}
