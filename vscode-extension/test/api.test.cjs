// The packaged extension as VS Code sees it: what it registers, what it leaves alone, and that it goes without a trace.
const assert = require("node:assert/strict");
const { createHash } = require("node:crypto");
const { readdirSync, readFileSync, statSync } = require("node:fs");
const { join, relative } = require("node:path");
const vscode = require("vscode");

const ID = "inglenook.inglenook";
const PATIENCE_MS = 25_000;
const { commands, window, workspace } = vscode;

const extension = () => vscode.extensions.getExtension(ID);
const manifest = () => extension().packageJSON;
const settings = () => Object.assign({}, ...manifest().contributes.configuration.map(({ properties }) => properties));
const folder = () => workspace.workspaceFolders[0].uri;
const file = (...path) => vscode.Uri.joinPath(folder(), ...path);

/** Waits until `look` gives something, and gives that. */
async function until(look, what) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < end, `waited for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The processes of our server that this extension host has started. */
function servers() {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).filter((pid) => {
    try {
      const parent = Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ")[1]);
      return parent === process.pid && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("inglenook");
    } catch {
      return false;
    }
  });
}

/** Every file of the folder with what is in it. */
function digests(root = folder().fsPath) {
  const files = readdirSync(root, { recursive: true }).map((name) => join(root, name)).filter((path) => statSync(path).isFile());
  return Object.fromEntries(files.map((path) => [relative(root, path), createHash("sha256").update(readFileSync(path)).digest("hex")]));
}

/** Waits until the server answers, and gives what it has in review. */
const answers = () => until(() => commands.executeCommand("inglenook.review.list", {}).then((told) => told?.proposals, () => undefined), "the server to answer");

/** The names after `inglenook.` in a text that hold `pattern` before them. */
const named = (text, pattern) => [...new Set([...text.matchAll(pattern)].map(([, name]) => name))];

describe("the extension", () => {
  let before;

  it("is active by itself, and shows nothing that was not asked for", async () => {
    before = digests();
    await until(() => extension()?.isActive, "the extension");
    assert.deepEqual(window.tabGroups.all.flatMap(({ tabs }) => tabs.map(({ label }) => label)), []);
    assert.equal(window.visibleTextEditors.length, 0);
    assert.equal(window.terminals.length, 0);
  });

  it("starts one server, which answers", async () => {
    assert.deepEqual(await answers(), []);
    assert.equal(servers().length, 1);
  });

  it("registers each command that it names, and the ones of the server", async () => {
    const known = new Set(await commands.getCommands(true));
    const { contributes } = manifest();
    const asked = [
      ...contributes.commands, ...contributes.keybindings, ...Object.values(contributes.menus).flat().filter((row) => row.command !== undefined),
    ].map(({ command }) => command);
    const linked = named(JSON.stringify([contributes.walkthroughs, contributes.viewsWelcome]), /command:([\w.]+)/g);
    const missing = [...new Set([...asked, ...linked])].filter((id) => !known.has(id));
    assert.deepEqual(missing, []);
    assert.ok(asked.length > 40 && linked.length > 5, "the manifest has lost its commands");
    for (const id of ["inglenook.run.start", "inglenook.review.decide", "inglenook.review.undo"]) assert.ok(known.has(id), id);
  });

  it("finishes a step of the walkthrough by commands that there are", async () => {
    const known = new Set(await commands.getCommands(true));
    const events = manifest().contributes.walkthroughs.flatMap(({ steps }) => steps).flatMap(({ completionEvents = [] }) => completionEvents);
    assert.deepEqual(named(events.join("\n"), /onCommand:([\w.]+)/g).filter((id) => !known.has(id)), []);
  });

  it("has each setting with the default that it declares", () => {
    for (const [key, { default: wanted }] of Object.entries(settings())) {
      assert.deepEqual(workspace.getConfiguration().inspect(key).defaultValue, wanted, key);
    }
    assert.equal(workspace.getConfiguration("diffEditor").get("codeLens"), true);
  });

  it("takes no program, no hosted model and no sandbox from a folder", async () => {
    const properties = settings();
    const machine = Object.keys(properties).filter((key) => properties[key].scope === "machine");
    for (const key of ["inglenook.server.command", "inglenook.server.python", "inglenook.hosted.use", "inglenook.hosted.url", "inglenook.checks.sandbox"]) {
      assert.ok(machine.includes(key), `${key} can be set by a folder`);
    }
    for (const key of machine) {
      await assert.rejects(async () => workspace.getConfiguration().update(key, properties[key].default, vscode.ConfigurationTarget.Workspace), key);
    }
  });

  it("shows commands and buttons only by contexts that it sets", () => {
    const { commands: rows, menus, viewsWelcome, keybindings } = manifest().contributes;
    const clauses = [...rows, ...Object.values(menus).flat(), ...viewsWelcome, ...keybindings].map(({ enablement = "", when = "" }) => `${enablement} ${when}`);
    const used = named(clauses.join("\n").replaceAll("inglenook.desk", "").replaceAll("inglenook.agent", ""), /inglenook\.(\w+)/g);
    assert.deepEqual(used.sort(), ["inFile", "inReview", "ready", "reviewing", "running"]);
    const code = readFileSync(extension().extensionPath + "/out/extension.js", "utf8");
    for (const name of used) assert.match(code, new RegExp(`["'\`]${name}["'\`]`), `nothing sets inglenook.${name}`);
  });

  it("takes no key that VS Code has a use for, and the walkthrough names each", async () => {
    const { keybindings } = manifest().contributes;
    const page = await workspace.openTextDocument(vscode.Uri.parse("vscode://defaultsettings/keybindings.json"));
    const rows = JSON.parse(page.getText().slice(0, page.getText().lastIndexOf("]") + 1).replace(/^\s*\/\/.*$/gm, ""));
    assert.ok(rows.length > 500, "these are not all the keys of VS Code");
    assert.ok(rows.some(({ key, command }) => key === "shift+alt+y" && command === "inglenook.acceptHunk"), "ours are not among them");
    const ours = new Set(keybindings.map(({ key }) => key));
    const first = new Set([...ours].map((key) => key.split(" ")[0])); // a chord takes its first key, too
    const taken = rows.filter((row) => first.has(row.key.split(" ")[0]) && !JSON.stringify(row).includes('"inglenook.'));
    assert.deepEqual(taken, []);
    const words = readFileSync(extension().extensionPath + "/walkthrough/review.md", "utf8").toLowerCase();
    assert.deepEqual([...ours].filter((key) => !words.includes(`\`${key}\``)), []);
  });

  it("has nothing to say about a file of which nothing is proposed", async () => {
    const document = await workspace.openTextDocument(file("tally", "quotes.py"));
    assert.deepEqual(await commands.executeCommand("vscode.executeCodeLensProvider", document.uri), []);
    assert.deepEqual(await commands.executeCommand("vscode.executeHoverProvider", document.uri, new vscode.Position(10, 10)), []);
    assert.deepEqual(vscode.languages.getDiagnostics(document.uri), []);
  });

  it("wrote no file until here", () => {
    assert.deepEqual(digests(), before);
  });

  it("lets a proposal be read by its documents, and changes a file only when it is accepted, as one step", async () => {
    const document = await workspace.openTextDocument(file("tally", "quotes.py"));
    const text = document.getText();
    const told = await commands.executeCommand("inglenook.run.start", { kind: "edit", instruction: "a function for the discount", uri: document.uri.toString() });
    assert.ok(told === undefined || typeof told.runId === "string");
    const [proposal] = await until(async () => { const all = await answers(); return all.length > 0 && all; }, "the proposal");
    const [changed] = proposal.files;
    assert.equal(changed.hunks.length, 2);
    const result = await workspace.openTextDocument(vscode.Uri.parse(changed.resultUri));
    assert.match(result.getText(), /def _discount/);
    assert.equal(await workspace.openTextDocument(vscode.Uri.parse(changed.baseUri)).then((base) => base.getText()), text);
    const lenses = await until(async () => { const all = await commands.executeCommand("vscode.executeCodeLensProvider", document.uri); return all.length > 0 && all; }, "lenses");
    for (const { command } of lenses) assert.match(command.title, /\w/, "a lens of signs only");
    const hovers = await commands.executeCommand("vscode.executeHoverProvider", document.uri, new vscode.Position(12, 4));
    assert.match(hovers.flatMap(({ contents }) => contents.map(({ value }) => value)).join("\n"), /The&nbsp;agent&nbsp;proposes|The agent proposes/);
    assert.equal(document.isDirty, false);
    assert.deepEqual(digests(), before);

    await commands.executeCommand("inglenook.decide", { decision: "accept", proposalId: proposal.id });
    await until(() => document.getText() !== text && !document.isDirty, "the accepted text, saved");
    await window.showTextDocument(document);
    await commands.executeCommand("undo");
    assert.equal(document.getText(), text, "one undo does not restore the file");
    await document.save();
    assert.deepEqual(digests(), before);
  });

  it("stops the server when it is deactivated, and starts it again when asked", async () => {
    const [running] = servers();
    const { activate, deactivate } = require(join(extension().extensionPath, manifest().main));
    assert.equal(typeof activate, "function");
    await deactivate();
    await until(() => servers().length === 0, "the server to go");
    await commands.executeCommand("inglenook.restart");
    await answers();
    assert.equal(servers().length, 1);
    assert.notEqual(servers()[0], running);
  });
});
