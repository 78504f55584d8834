// Packages the extension as inglenook.vsix, or as the file that is named. Its page shows pictures only where they can be seen: VS Code
// loads those of a README from public https addresses and from nowhere else. INGLENOOK_PAGE names the address of this folder in the
// public repository, if there is one; without it the pictures are left out of the package's README.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("..", import.meta.url));
const target = process.argv[2] ?? "inglenook.vsix";
const page = process.env.INGLENOOK_PAGE ?? "";

const readme = readFileSync(`${folder}/README.md`, "utf8");
writeFileSync(`${folder}/out/README.md`, page === "" ? readme.replace(/^!\[[^\]]*\]\([^)]*\)\n\n?/gm, "") : readme);

const links = page === "" ? ["--no-rewrite-relative-links"] : ["--baseImagesUrl", page, "--baseContentUrl", page];
const vsce = fileURLToPath(import.meta.resolve("@vscode/vsce/vsce"));
execFileSync(process.execPath, [vsce, "package", "--no-dependencies", "--allow-missing-repository", "--readme-path", "out/README.md", ...links, "--out", target], {
  cwd: folder,
  stdio: "inherit",
  env: { ...process.env, SOURCE_DATE_EPOCH: "1767225600" }, // the same files make the same package
});
