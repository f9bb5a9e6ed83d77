// The page works without this script. The script adds: search while typing, answers while typing,
// links that keep a question after "#", buttons that copy, times that go on, and reloading.
'use strict';
const root = document.body.dataset.root;
const server = 'server' in document.body.dataset;
const byId = (id) => document.getElementById(id);
document.body.classList.add('scripted');

// element returns an element with text or children in it. Text is never read as HTML.
function element(name, attributes, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  e.append(...children);
  return e;
}

function say(text) {
  byId('status').textContent = text;
}

// Search.
const search = byId('search');
const list = byId('flags');
const states = ['ramping', 'stale', 'disabled', 'held', 'expired', 'rolled-back', 'warnings'];
const most = 100;
let index, original;

async function load() {
  index ??= fetch(`${root}index.json`).then((response) => response.json());
  return index;
}

// find does what find of the server does.
function find(entries, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
    .map((word) => (states.includes(word) ? ` is:${word}` : word.includes(':') ? ` ${word}` : word));
  return entries.filter((entry) => words.every((word) => entry.q.includes(word)));
}

function row(entry) {
  const name = element('th', { scope: 'row' }, element('a', { href: `${root}flag/${entry.k}.html` }, entry.k));
  for (const state of entry.b ?? []) name.append(' ', element('span', { class: `state ${state}` }, state));
  return element('tr', {}, name, element('td', { 'data-in': 'Owner' }, entry.o ?? ''), element('td', { 'data-in': 'Serves' }, entry.s), next(entry));
}

// next returns when a flag changes next.
function next(entry) {
  const cell = element('td', { 'data-in': 'Next change' });
  if (entry.c) cell.append(element('time', { datetime: new Date(entry.c * 1000).toISOString(), 'data-soon': '' }, soon(entry.c * 1000)), entry.w ? `, ${entry.w}` : '');
  return cell;
}

async function show() {
  const query = search.value.trim();
  original ??= [...list.tBodies[0].rows];
  const pages = document.querySelector('.pages');
  if (pages) pages.hidden = query !== '';
  if (query === '') {
    list.tBodies[0].replaceChildren(...original);
    byId('found').textContent = 'All flags are shown.';
    return;
  }
  const entries = await load();
  if (query !== search.value.trim()) return; // typing went on
  const started = performance.now();
  const found = find(entries, query);
  list.tBodies[0].replaceChildren(...found.slice(0, most).map(row));
  byId('found').textContent = `${found.length} of ${entries.length} flags.${found.length > most ? ` The first ${most} are shown.` : ''}`;
  document.body.dataset.searched = String(performance.now() - started);
}

if (list) {
  search.addEventListener('focus', load, { once: true });
  search.addEventListener('input', show);
  search.form.addEventListener('submit', (event) => {
    event.preventDefault();
    list.querySelector('tbody a')?.focus();
  });
  const asked = new URLSearchParams(location.search).get('q');
  if (asked && search.value !== asked) { // a static page doesn't know what was asked
    search.value = asked;
    show();
  }
}
document.addEventListener('keydown', (event) => {
  if (event.key === '/' && !event.target.matches('input, textarea, select') && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    search.focus();
  }
});

// Why?
const why = byId('why-form');
const marks = { yes: ['✓', ' holds: '], no: ['✗', ' doesn’t hold: '], skipped: ['–', ' skipped: '] };

function moves(steps) {
  return element('ul', { class: 'moves' }, ...steps.map((step) => {
    const [sign, words] = marks[step.mark];
    const item = element('li', { class: step.mark }, element('span', { class: 'mark' }, sign, element('span', { class: 'hidden' }, words)), step.text);
    if (step.steps) item.append(moves(step.steps));
    return item;
  }));
}

let asking;
async function ask() {
  const answer = byId('why-answer');
  const question = { flag: why.dataset.flag, environment: why.elements.environment?.value ?? '' };
  try {
    question.context = JSON.parse(why.elements.context.value || '{}');
  } catch {
    answer.replaceChildren(element('p', { class: 'error' }, 'The context isn’t JSON yet.'));
    return;
  }
  asking?.abort();
  asking = new AbortController();
  const started = performance.now();
  try {
    const response = await fetch(`${root}why.json`, {
      method: 'POST', body: JSON.stringify(question), headers: { 'Content-Type': 'application/json' }, signal: asking.signal,
    });
    if (!response.ok) {
      answer.replaceChildren(element('p', { class: 'error' }, await response.text()));
      return;
    }
    const told = await response.json();
    answer.replaceChildren(
      element('p', { class: 'answer' }, told.answer),
      element('p', {}, 'Value: ', element('code', {}, told.value)),
      moves(told.steps),
    );
    document.body.dataset.answered = String(performance.now() - started);
  } catch (error) {
    if (error.name !== 'AbortError') say('The server doesn’t answer.');
  }
}

// link returns a link to a question. What is after "#" isn't sent to any server.
function link() {
  const asked = new URLSearchParams({ context: why.elements.context.value, environment: why.elements.environment?.value ?? '' });
  return `${location.href.split('#')[0]}#why?${asked}`;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    say('Copied.');
  } catch {
    say(`Copy this: ${text}`);
  }
}

if (why) {
  const [place, asked] = location.hash.slice(1).split(/\?(.*)/s);
  if (place === 'why' && asked) {
    const question = new URLSearchParams(asked);
    why.elements.context.value = question.get('context') ?? '';
    if (why.elements.environment) why.elements.environment.value = question.get('environment') ?? '';
    byId('why').scrollIntoView();
  }
  why.addEventListener('input', ask);
  why.addEventListener('submit', (event) => {
    event.preventDefault();
    ask();
  });
  byId('why-pick').addEventListener('change', (event) => {
    const picked = event.target.selectedOptions[0];
    if (!picked.value) return;
    why.elements.context.value = picked.value;
    if (why.elements.environment && picked.dataset.in) why.elements.environment.value = picked.dataset.in;
    ask();
  });
  byId('why-share').addEventListener('click', () => {
    history.replaceState(null, '', link());
    copy(location.href);
  });
  ask();
}

// Buttons that copy.
document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-copy]');
  if (!button) return;
  const from = button.dataset.copy ? byId(button.dataset.copy) : button.parentElement.querySelector('.copy');
  copy(from.textContent);
});

// Edits on a static page: the command for a shell.
byId('make')?.addEventListener('click', () => {
  const form = byId('propose-form');
  const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const edits = form.elements.edit.value.split('\n').map((line) => line.trim()).filter(Boolean);
  const words = ['serin apply', ...edits.map(quote)];
  const folder = form.dataset.folder;
  if (folder && folder !== 'flags') words.push('--from', quote(folder));
  byId('proposed').replaceChildren(element('p', {}, 'As a command: ', element('code', { class: 'copy' }, words.join(' ')), ' ',
    element('button', { type: 'button', 'data-copy': '' }, 'Copy')));
  const { issue, title, body } = form.dataset;
  if (!issue) return;
  const prefilled = { [title]: `Flags: ${edits.join('; ').slice(0, 120)}`, [body]: `\`\`\`\n${edits.join('\n')}\n\`\`\`\n` };
  const link = `${issue}?${Object.entries(prefilled).map((pair) => pair.map(encodeURIComponent).join('=')).join('&')}`;
  byId('proposed').append(element('p', {}, ...(link.length <= 6 << 10
    ? ['As an issue: ', element('a', { href: link, rel: 'noreferrer' }, 'open a prefilled issue')]
    : ['The edits are too long for a link: copy the command, and hand that over.'])));
});
if (!server && byId('edit')) byId('edit').value = new URLSearchParams(location.search).get('edit') ?? '';

// Environments: only what differs.
byId('only-mixed')?.addEventListener('change', (event) => {
  document.querySelector('.matrix').classList.toggle('only-mixed', event.target.checked);
});

// Times go on.
function soon(at) {
  const minutes = Math.floor(Math.abs(at - Date.now()) / 60000);
  const text = minutes < 1 ? 'less than a minute' : minutes < 60 ? `${minutes} min`
    : minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h${minutes % 60 ? ` ${minutes % 60} min` : ''}` : `${Math.floor(minutes / 1440)} days`;
  return at < Date.now() ? `${text} ago` : `in ${text}`;
}
setInterval(() => {
  for (const time of document.querySelectorAll('[data-soon]')) time.textContent = soon(Date.parse(time.dateTime));
}, 30000);

// Reloading: problems and answers are renewed in place while somebody types, and the page otherwise.
if (document.body.dataset.live) {
  const events = new EventSource(`${root}live`);
  events.onmessage = async (event) => {
    if (event.data === document.body.dataset.live) return;
    document.body.dataset.live = event.data;
    if (!document.activeElement?.matches('input, textarea, select')) {
      location.reload();
      return;
    }
    const response = await fetch(location.href);
    const renewed = new DOMParser().parseFromString(await response.text(), 'text/html');
    byId('problems').replaceWith(renewed.getElementById('problems'));
    index = undefined;
    if (why) ask();
    say('The files have changed. Reload the page to see all of it.');
  };
}
