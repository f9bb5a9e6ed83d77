// Opens files in the language server for YAML as an editor does, with something
// wrong in each, and then corrects them.
//
// stdin:  {"root": "the folder that is open", "schemas": the setting yaml.schemas, "files": [{"name": "below root", "wrong": "…", "right": "…"}]}
// stdout: {"name": {"wrong": ["…"], "right": ["…"]}}: what the server says of each
//
// It waits for a word about each wrong file: without a schema there is none.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { createMessageConnection, StreamMessageReader, StreamMessageWriter } from 'vscode-jsonrpc/node.js';

const { root, schemas, files } = JSON.parse(await text(process.stdin));
const server = spawn(process.execPath, ['node_modules/yaml-language-server/bin/yaml-language-server', '--stdio'], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
const connection = createMessageConnection(new StreamMessageReader(server.stdout), new StreamMessageWriter(server.stdin));
const yaml = { validate: true, schemas, schemaStore: { enable: false } };

const said = {};
const waiting = new Map(); // by URI: what to do with the next diagnostics
connection.onNotification('textDocument/publishDiagnostics', ({ uri, diagnostics }) => {
  waiting.get(uri)?.(diagnostics.map((d) => `${d.range.start.line + 1}: ${d.message}`));
});
connection.onRequest('workspace/configuration', ({ items }) => items.map((i) => (i.section === 'yaml' ? yaml : {})));
connection.onRequest('client/registerCapability', () => null);
connection.listen();

const uri = pathToFileURL(root).href;
await connection.sendRequest('initialize', {
  processId: process.pid,
  rootUri: uri,
  workspaceFolders: [{ uri, name: 'estate' }],
  capabilities: { workspace: { configuration: true, workspaceFolders: true, didChangeConfiguration: { dynamicRegistration: true } } },
});
await connection.sendNotification('initialized', {});
await connection.sendNotification('workspace/didChangeConfiguration', { settings: { yaml } });

// until resolves with the first diagnostics of a document that fit.
const until = (uri, fit) =>
  new Promise((resolve) => waiting.set(uri, (messages) => fit(messages) && resolve(messages)));

await Promise.all(
  files.map(async ({ name, wrong, right }) => {
    const uri = pathToFileURL(join(root, name)).href;
    const refused = until(uri, (messages) => messages.length > 0);
    await connection.sendNotification('textDocument/didOpen', { textDocument: { uri, languageId: 'yaml', version: 1, text: wrong } });
    said[name] = { wrong: await refused };
    const accepted = until(uri, (messages) => messages.join() !== said[name].wrong.join());
    await connection.sendNotification('textDocument/didChange', { textDocument: { uri, version: 2 }, contentChanges: [{ text: right }] });
    said[name].right = await accepted;
  }),
);
console.log(JSON.stringify(said));
await connection.sendRequest('shutdown');
await connection.sendNotification('exit');
