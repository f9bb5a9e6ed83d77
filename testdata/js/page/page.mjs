// Opens the page for people in Chromium, and reports what a person would meet.
//
// stdin:  {"chromium": "…", "base": "http://…", "pages": [{"name": "…", "path": "…"}], "flag": "…",
//          "search": "…", "shots": "a folder for screenshots, or nothing", "trees": true,
//          "measure": false}, which looks at the pages and then measures, or else tries what people do
// stdout: a line of JSON for each thing that was looked at:
//         {"axe": "name theme width", "violations": ["…"]}     what axe-core finds
//         {"wide": "name theme width", "by": 12}               content that is cut off or scrolls sideways
//         {"tree": "name", "text": "…"}                        the accessibility tree
//         {"keyboard": ["…"], "found": "…", "answer": "…"}      what the keyboard alone reaches
//         {"finds": {"query": ["key"]}}                        what the script's search finds
//         {"task": "name", "clicks": 2, "text": "…"}            how many clicks a task takes, and what one learns
//         {"typing": true}                                     somebody types: the files may change now
//         {"problem": "…", "kept": "…"}                        what the page says then, and what was typed
//         {"times": {…}}                                       milliseconds, if they are measured
//         {"error": "…"}                                       what the browser complains of
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';
import { chromium } from 'playwright-core';

const input = JSON.parse(await text(process.stdin));
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const print = (line) => console.log(JSON.stringify(line));

const browser = await chromium.launch({
  executablePath: input.chromium,
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});

// open returns a page that reports what the browser complains of.
async function open(context) {
  const page = await context.newPage();
  page.on('console', (message) => message.type() === 'error' && print({ error: message.text() }));
  page.on('pageerror', (error) => print({ error: String(error) }));
  page.on('dialog', (dialog) => {
    print({ error: `a dialog: ${dialog.message()}` });
    return dialog.dismiss();
  });
  return page;
}

// look looks at a page in both themes and widths. What doesn't depend on colors is looked at once
// for each width.
async function look(page, { name, path, submit }) {
  await page.goto(input.base + path);
  if (submit) {
    await page.click(submit);
    await page.waitForLoadState();
  }
  if (path.startsWith('flag/')) await page.waitForSelector('.answer');
  // axe-core runs through the debugger, which the page's policy doesn't bind.
  await page.evaluate(axe);
  for (const width of [1400, 360]) {
    await page.setViewportSize({ width, height: 900 });
    for (const theme of ['light', 'dark']) {
      const what = `${name} ${theme} ${width}`;
      await page.emulateMedia({ colorScheme: theme });
      const violations = await page.evaluate(async (runOnly) => {
        const found = await globalThis.axe.run(document, { resultTypes: ['violations'], ...runOnly });
        return found.violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html).join(' ')}`);
      }, theme === 'dark' ? { runOnly: ['color-contrast'] } : {});
      print({ axe: what, violations });
      const by = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      print({ wide: what, by });
      if (input.trees && theme === 'light' && width === 1400) {
        print({ tree: name, text: await page.locator('body').ariaSnapshot() });
      }
      if (input.shots) await page.screenshot({ path: `${input.shots}/${what.replaceAll(' ', '-')}.png`, fullPage: true });
    }
  }
}

// lookAll looks at all pages, two at a time.
async function lookAll(pages) {
  const rest = [...pages];
  await Promise.all([1, 2].map(async () => {
    const page = await open(await browser.newContext());
    while (rest.length > 0) await look(page, rest.shift());
    await page.close();
  }));
}

// keyboard searches for a flag, opens it and asks why, without a mouse.
async function keyboard(page) {
  await page.goto(input.base);
  const reached = [];
  for (let i = 0; i < 9; i++) {
    await page.keyboard.press('Tab');
    reached.push(await page.evaluate(() => document.activeElement.textContent.trim() || document.activeElement.id));
  }
  await page.goto(input.base);
  await page.keyboard.press('/');
  await page.keyboard.type(input.search);
  await page.waitForFunction(() => document.body.dataset.searched);
  const found = await page.textContent('#found');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Enter');
  await page.waitForURL(/flag\//);
  await page.waitForSelector('.answer');
  await page.focus('#why-context');
  await page.keyboard.press('Control+A');
  await page.keyboard.type('{"targetingKey": "u-2", "city": "拉萨"}');
  await page.waitForFunction(() => document.querySelector('#why-answer').textContent.includes('拉萨'));
  print({ keyboard: reached, found, answer: await page.textContent('.answer') });
}

// finds asks the script's search.
async function finds(page) {
  await page.goto(input.base);
  print({ finds: await page.evaluate(async (queries) => {
    const all = {};
    for (const query of queries) all[query] = find(await load(), query).map((entry) => entry.k);
    return all;
  }, input.queries) });
}

// tasks does what people come for, from the first page, with the mouse.
async function tasks(page) {
  const task = async (name, steps) => {
    let clicks = 0;
    const click = async (role, text) => {
      await page.getByRole(role, { name: text, exact: true }).first().click();
      await page.waitForLoadState();
      clicks++;
    };
    await page.goto(input.base);
    const text = await steps(click);
    print({ task: name, clicks, text: text.replace(/\s+/g, ' ').trim() });
  };
  await task('why does u-42 see it', async (click) => {
    await click('link', input.flag);
    await page.fill('#why-context', '{"targetingKey": "u-42"}');
    await page.waitForFunction(() => document.querySelector('#why-answer').textContent.includes('u-42'));
    return page.textContent('#why-answer');
  });
  await task('why does the user of a test see it', async (click) => {
    await click('link', input.flag);
    await page.waitForSelector('.answer');
    await page.selectOption('#why-pick', { index: 1 });
    await page.waitForFunction(() => document.querySelector('.answer').textContent.includes('the rule “'));
    return page.textContent('#why-answer');
  });
  await task('who is affected by this pull request', async (click) => {
    await click('link', 'Who changes');
    await click('link', 'git:main');
    return page.textContent('main');
  });
  await task('what changes next', () => page.textContent('main'));
  await task('who owns what has expired', async (click) => {
    await click('link', 'expired');
    return page.textContent('#flags tbody');
  });
  await task('propose turning it off', async (click) => {
    await click('link', input.off);
    await click('link', 'Propose to disable it');
    await click('button', 'Show what it changes');
    return page.textContent('main');
  });
}

// live types while the files get a problem.
async function live(page) {
  await page.goto(`${input.base}flag/${input.flag}.html`);
  await page.waitForSelector('.answer');
  await page.fill('#why-context', '{"targetingKey": "typed"}');
  print({ typing: true });
  await page.waitForSelector('.problems');
  print({ problem: (await page.textContent('.problems')).replace(/\s+/g, ' ').trim(), kept: await page.inputValue('#why-context') });
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  for (const v of violations) print({ error: `with problems: ${v.id}: ${v.help}` });
}

async function measure(page) {
  await page.goto(input.base, { waitUntil: 'load' });
  await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint').length > 0);
  const times = { firstPaint: await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime) };
  await page.focus('#search');
  await page.keyboard.type(input.search, { delay: 10 });
  await page.waitForFunction(() => document.body.dataset.searched);
  times.search = Number(await page.evaluate(() => document.body.dataset.searched));
  await page.goto(input.base + `flag/${input.flag}.html`);
  await page.waitForSelector('.answer');
  await page.focus('#why-context');
  await page.keyboard.press('End');
  await page.keyboard.type(' ', { delay: 50 });
  await page.waitForTimeout(200);
  times.why = Number(await page.evaluate(() => document.body.dataset.answered));
  print({ times });
}

try {
  if (input.pages) await lookAll(input.pages);
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
  if (input.measure) await measure(await open(context));
  else {
    await keyboard(await open(context));
    await finds(await open(context));
    await tasks(await open(context));
    await live(await open(context));
  }
} finally {
  await browser.close();
}
