// Reads {"templates": [path, …]} as JSON on standard input, and writes for each template a line with the diagnostics of
// AWS's validator. Starting the engine takes seconds, so all templates share one.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const { RegoEngine, TemplateFile } = createRequire(import.meta.url)("@aws/cloudformation-validate");

const { templates } = JSON.parse(readFileSync(0, "utf8"));
const engine = new RegoEngine();
for (const path of templates) {
  const { diagnostics } = engine.validateStandard(new TemplateFile(path));
  console.log(JSON.stringify(diagnostics));
}
engine.free();
