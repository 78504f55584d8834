// The plainest extension there can be, as a baseline. With BYSTANDER_SERVER (a JSON list of words) it starts that language server.
const { runInNewContext } = require("node:vm");
const { setFlagsFromString } = require("node:v8");
const { commands, ProgressLocation, Range, Uri, window, workspace, WorkspaceEdit } = require("vscode");

const COUNTED = 60;
const EVERY_MS = 50;
const PAIRS = [["part36.py", "part37.py"], ["part38.py", "part39.py"]];

exports.activate = async ({ subscriptions }) => {
  const item = window.createStatusBarItem("words");
  item.text = "bystander";
  item.show();
  const say = (words) => { item.text = `bystander ${words}`; };
  const register = (name, action) => subscriptions.push(item, commands.registerCommand(`bystander.${name}`, action));
  register("count", () => count(say));
  register("edit", editAll);
  register("memory", () => say(`memory ${JSON.stringify(memory())}`));
  register("other", otherDiff());
  if (process.env.BYSTANDER_SERVER) {
    say("starts");
    await startServer(JSON.parse(process.env.BYSTANDER_SERVER));
    say("is ready");
  }
};

async function startServer([command, ...args]) {
  const { LanguageClient } = require("vscode-languageclient/node");
  await new LanguageClient("bystander", { command, args }, { documentSelector: [{ scheme: "file" }] }).start();
}

/** Says the time, in milliseconds since the epoch, again and again: in the status bar, then in a notification. */
async function count(say) {
  const often = async (tell) => {
    for (let each = 0; each < COUNTED; each++) {
      tell(`at ${Date.now()}`);
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  };
  await often(say);
  const options = { location: ProgressLocation.Notification, title: "Bystander" };
  await window.withProgress(options, (progress) => often((message) => { progress.report({ message }); }));
  say("counted");
}

/** Edits the same 300 places as the proposal, in one step, and saves. */
async function editAll() {
  const edit = new WorkspaceEdit();
  const documents = [];
  const folder = workspace.workspaceFolders[0].uri;
  for (const [name] of await workspace.fs.readDirectory(folder)) {
    if (!name.endsWith(".py")) continue;
    const uri = Uri.joinPath(folder, name);
    const document = await workspace.openTextDocument(uri);
    documents.push(document);
    for (let line = 0; line < document.lineCount; line++) {
      const { text } = document.lineAt(line);
      if (text.endsWith("= 0")) edit.replace(uri, new Range(line, text.length - 1, line, text.length), "1");
    }
  }
  await workspace.applyEdit(edit);
  await Promise.all(documents.map((document) => document.save()));
}

/** Shows one diff of two files, and then the other one. */
function otherDiff() {
  let turn = 0;
  return async () => {
    const [left, right] = PAIRS[turn++ % 2].map((name) => Uri.joinPath(workspace.workspaceFolders[0].uri, name));
    await commands.executeCommand("vscode.diff", left, right, `${right.path.split("/").at(-1)} and another`);
  };
}

/** Bytes of the extension host, after its garbage is collected. */
function memory() {
  setFlagsFromString("--expose-gc");
  for (let each = 0; each < 3; each++) runInNewContext("gc")();
  const { heapUsed, rss } = process.memoryUsage();
  return { heapUsed, rss };
}
