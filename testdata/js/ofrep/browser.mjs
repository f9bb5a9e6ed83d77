// Runs the stock OFREP provider for browsers in Chromium, in a page of another origin than
// the server's.
//
// stdin:  {"baseUrl": "…", "chromium": "…", "steps": [{context}], "flags": ["…"],
//          "key": "…", "port": 0}
//         Each flag is a boolean. The key is optional. The page is http://localhost:port.
// stdout: a line of JSON after each step, {"values": {flag: value}, "statuses": [200]}, one
//         when the page has opened the stream of events, {"streaming": true}, and one when
//         flags have changed after that, {"values": {…}, "statuses": […], "flagsChanged": […]}.
//         What the browser complains of, such as headers that CORS withholds, comes as
//         {"error": "…"}.
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';

const input = JSON.parse(await text(process.stdin));
const print = (line) => console.log(JSON.stringify(line));
const bundle = await build({ entryPoints: ['page.mjs'], bundle: true, write: false, format: 'esm' });

const server = createServer((request, response) => {
  if (request.url === '/page.js') {
    response.setHeader('Content-Type', 'text/javascript');
    response.end(bundle.outputFiles[0].contents);
  } else if (request.url === '/') {
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><title>flags</title><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>');
  } else {
    response.statusCode = 404;
    response.end();
  }
});
await new Promise((resolve) => server.listen(input.port ?? 0, '127.0.0.1', resolve));

const browser = await chromium.launch({
  executablePath: input.chromium,
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});
try {
  const page = await browser.newPage();
  page.on('console', (message) => message.type() === 'error' && print({ error: message.text() }));
  page.on('pageerror', (error) => print({ error: String(error) }));
  page.on('response', (response) => {
    if (response.headers()['content-type'] === 'text/event-stream') print({ streaming: true });
  });
  const done = new Promise((resolve) => {
    page.exposeFunction('report', (line) => {
      print(line);
      if (line.flagsChanged) resolve();
    });
  });
  await page.exposeFunction('input', () => input);
  await page.goto(`http://localhost:${server.address().port}/`);
  await done;
} finally {
  await browser.close();
  server.close();
}
