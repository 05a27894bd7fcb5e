// The console's page: it reads /api/ and shows what it finds there, and changes nothing at the server.
//
// Source: the console's API (src/console), WCAG 2.2.
// Shape: small helpers, the views, the way to the server, and the address: its fragment says which view is open, so that
// each can be linked and gone back to.
// Rules:
// - What the server says enters the page as text, never as markup: a request may hold anything.
// - The token is kept in this tab alone, and in an address no longer than it takes to read it.
// - What changes each second is changed in place: a selection and a reader's place stay.

const KEPT = 256; // requests, as many as the server keeps
const SPEAK_EVERY = 5000; // ms: a screen reader is told of all that came in between at once
const RETRY = 2000; // ms, where the browser does not try again by itself

const $ = (id) => document.getElementById(id);

// Elements

/** An element: `el('p.soft', { title }, 'text', child)`. What is null or false is left out. */
function el(name, ...children) {
  const [tag, ...classes] = name.split('.');
  const made = document.createElement(tag);
  made.classList.add(...classes);
  const { click, ...attributes } = children[0]?.constructor === Object ? children.shift() : {};
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (click) made.addEventListener('click', click);
  made.append(...children.flat().filter((child) => child != null && child !== false));
  return made;
}

/** A part of a view, with its heading. */
const part = (title, ...children) => el('section', el('h3', title), ...children);

/** What scrolls by itself, by keyboard too, where it is too large for the screen. */
const scroller = (title, child) => el('section.scroll', { tabindex: 0, 'aria-label': title }, child);

/** Names beside values, each as [name, value, ...more]; without a value it is left out. */
const facts = (pairs) => el('dl', pairs.filter(([, first]) => first != null).map(([name, ...values]) =>
  el('div', el('dt', name), values.map((one) => el('dd', one)))));

/** A piece of a bar, by its share of the whole. The policy (CSP) forbids style attributes, not this. */
function piece(kind, from, length) {
  const made = el(`i.${kind}`);
  made.style.left = `${100 * from}%`;
  made.style.width = `${100 * length}%`;
  return made;
}

/** Writes text only where it is another, so that nothing is said or painted twice. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Figures

const number = (value) => value.toLocaleString('en');

/** Three digits, as many as one reads. */
const digits = (value) => Number(value < 100 ? value.toPrecision(3) : value.toFixed());

/** Microseconds, as a person says them. */
function time(micros) {
  if (micros < 1000) return `${Math.round(micros)} µs`;
  return micros < 1e6 ? `${digits(micros / 1e3)} ms` : `${digits(micros / 1e6)} s`;
}

function size(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  const unit = Math.min(Math.floor(Math.log2(bytes || 1) / 10), units.length - 1);
  return `${digits(bytes / 1024 ** unit)} ${units[unit]}`;
}

function uptime(seconds) {
  const [days, hours, minutes] = [seconds / 86400, (seconds / 3600) % 24, (seconds / 60) % 60].map(Math.floor);
  return `${days} d ${hours} h ${minutes} min`.replace(/^(0 [dh] )+/, '');
}

// Bytes

/** What may be a character of several bytes in UTF-8, or else a byte that belongs to none. */
const SEQUENCE = /[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|[\x80-\xff]/g;

/** What one does not see: ends of lines, spaces before them, controls, marks of direction and of byte order, and bytes
    that are no UTF-8, which stand as lone surrogates. */
const UNSEEN = /\r?\n| +(?=\r?\n|$)|[\0-\x1f\x7f-\xa0\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\udc80-\udcff]/gu;

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Text of base64. Bytes that are no UTF-8 become the lone surrogates U+DC80 to U+DCFF. */
function decode(base64) {
  return atob(base64).replace(SEQUENCE, (sequence) => {
    const raw = Uint8Array.from(sequence, (byte) => byte.charCodeAt(0));
    try {
      return UTF8.decode(raw);
    } catch {
      return String.fromCharCode(...Array.from(raw, (byte) => 0xdc00 + byte));
    }
  });
}

/** How an unseen character is written. */
function mark(character) {
  const code = character.codePointAt(0);
  const named = { ' ': '·', '\r': '\\r', '\n': '\\n', '\t': '\\t' }[character];
  if (named) return named;
  return code < 0x80 || code >= 0xdc80 && code <= 0xdcff ? `\\x${hex(code & 0xff, 2)}` : `\\u${hex(code, 4)}`;
}

const hex = (code, width) => code.toString(16).padStart(width, '0');

/** Text with all that is unseen marked. Of the ends of lines, the end itself is copied, the mark is not. */
function visible(text) {
  const shown = document.createDocumentFragment();
  let done = 0;
  for (const { 0: unseen, index } of text.matchAll(UNSEEN)) {
    const ends = unseen.endsWith('\n');
    shown.append(text.slice(done, index), el(ends ? 'b.mark.end' : 'b.mark', Array.from(unseen, mark).join('')));
    if (ends) shown.append('\n');
    done = index + unseen.length;
  }
  shown.append(text.slice(done));
  return shown;
}

/** A stream of bytes under its name; null where there was none. */
function bytes(title, stream) {
  if (!stream) return null;
  const length = el('span.soft', ` ${size(stream.length)}${stream.cut ? ', its beginning' : ''}`);
  const shown = !stream.length ? el('p.soft', 'Empty.') : stream.hidden ? locked()
    : scroller(title, el('pre', visible(decode(stream.base64))));
  return part([title, length], shown);
}

/** Stands for what is shown with the token alone. */
const locked = () => el('p.soft', 'Shown to whoever has the token. ',
  el('button.link', { type: 'button', click: unlock }, 'Unlock'));

// The list of requests

const known = new Map(); // requests by number: the summary and its row
const held = new Map(); // what came while the list stood still
let paused = false;
const unsaid = { all: 0, failed: 0 }; // since it was last spoken of

const failed = (journey) => journey.reason != null || journey.status >= 400;
const last = () => Math.max(0, ...known.keys(), ...held.keys());

function status(journey) {
  const wrong = failed(journey);
  return el(`span.status.s${Math.floor(journey.status / 100)}${wrong ? '.failed' : ''}`, `${journey.status}`,
    wrong && el('span.unseen', ' failed'));
}

function row(journey) {
  return el('li', { value: journey.seq }, el('a', { href: `#/requests/${journey.seq}` },
    status(journey),
    el('span.method', journey.method),
    el('span.target', { title: journey.target }, journey.target),
    el('span.kind', journey.reason ?? journey.kind),
    el('span.took', time(journey.took)),
    el('time', { datetime: journey.at }, new Date(journey.at).toLocaleTimeString('en-GB'))));
}

/** Puts a request where its number belongs: it may come in any order. */
function show(journey) {
  if (known.has(journey.seq)) return;
  const entry = { journey, row: row(journey) };
  let below = $('rows').firstChild;
  while (below?.value > journey.seq) below = below.nextSibling;
  $('rows').insertBefore(entry.row, below);
  known.set(journey.seq, entry);
  entry.row.hidden = !matches(journey);
  point(entry);
  if (known.size > KEPT) forget($('rows').lastChild.value);
}

function forget(seq) {
  known.get(seq).row.remove();
  known.delete(seq);
}

function take(journeys) {
  journeys.forEach(paused ? hold : show);
  account();
}

function hold(journey) {
  if (!known.has(journey.seq)) held.set(journey.seq, journey);
  if (held.size > KEPT) held.delete(held.keys().next().value);
}

function matches(journey) {
  const [text, start, kind] = ['text', 'status', 'kind'].map((id) => $(id).value.trim().toLowerCase());
  const where = [journey.method, journey.target, journey.client, journey.reason, journey.id, placeOf(journey)].join(' ');
  return where.toLowerCase().includes(text)
    && String(journey.status).startsWith(start)
    && (!kind || journey.kind === kind)
    && (!$('failures').checked || failed(journey));
}

function filter() {
  for (const { journey, row: shown } of known.values()) shown.hidden = !matches(journey);
  account();
}

/** What stands below the list and on the button that holds it. */
function account() {
  const shown = $('rows').querySelectorAll('li:not([hidden])').length;
  $('none').hidden = shown > 0;
  write($('none'), known.size ? `None of the last ${known.size} requests is like that.`
    : 'No request yet. The next one appears here as it ends.');
  write($('pause'), paused ? `Resume (${held.size} new)` : 'Pause');
}

function pause() {
  paused = !paused;
  held.forEach(show);
  held.clear();
  account();
  connected();
}

/** Says how many came in, now and then, while the list is what one looks at. */
function speak() {
  if (unsaid.all && !$('requests').hidden && !paused) {
    write($('news'), `${unsaid.all} new, ${unsaid.failed || 'none'} failed`);
  }
  unsaid.all = unsaid.failed = 0;
}

// One journey

/** What each step ends, and whose that time is. */
const STEPS = {
  received: ['The request is here', 'quiet'],
  body: ['Receiving its body', 'quiet'],
  resolved: ['Finding out where it leads', 'quiet'],
  waited: ['Waiting in line', 'wait'],
  started: ['Starting the program', 'start'],
  connected: ['Connecting to the application', 'start'],
  'first byte': ['Its work, until the first byte', 'work'],
  'last byte': ['Sending, until the last byte', 'relay'],
  exit: ['Until the program ended', 'wait'],
};

/** A row for each step, its bar where and as long as it was. The text says the same. */
function timeline(steps) {
  const sorted = steps.toSorted((one, other) => one.at - other.at);
  const whole = Math.max(1, sorted.at(-1).at);
  const rows = sorted.map(({ name, at }, index) => {
    const [meaning, kind] = STEPS[name] ?? [name, 'quiet'];
    const from = sorted[index - 1]?.at ?? 0;
    const bar = index > 0 && el('span.bar', { 'aria-hidden': true }, piece(kind, from / whole, (at - from) / whole));
    return el('li',
      el('b', name), el('span.soft', meaning), bar,
      el('span.at', el('span.unseen', 'at '), time(at)),
      index > 0 && el('span.soft.lasted', `+ ${time(at - from)}`));
  });
  return el('ol.timeline', rows);
}

const value = ({ masked, value: text }) =>
  (masked ? el('span.masked', '•••', el('span.unseen', ' masked')) : visible(text));

/** A head as it goes over the wire. */
const head = (line, fields) => el('pre',
  visible(line), '\n', fields.map((field) => [el('b', field.name), ': ', value(field), '\n']).flat());

function finding({ code, severity, sentence, evidence, remedy }) {
  return el(`section.finding.${severity}`,
    el('h3', `${severity} `, el('code', code)),
    el('p', sentence),
    evidence.map(({ of, text, hidden }) => el('figure', el('figcaption', of), hidden ? locked() : el('pre', text))),
    remedy && el('p', 'To mend it: ', el('code', remedy)));
}

/** "RFC 3875, 4.1.13" as a link to that section. */
function section(text) {
  const named = /^RFC (\d+), ([\d.]+)$/.exec(text ?? '');
  if (!named) return text;
  return el('a', { href: `https://www.rfc-editor.org/rfc/rfc${named[1]}#section-${named[2]}`, rel: 'noreferrer' }, text);
}

const variables = (all) => facts(all.map((variable) => [el('code', variable.name),
  el('code', value(variable)), el('span.soft', variable.meaning, ' ', section(variable.section) ?? '')]));

/** Why a route was taken, and what was looked for. */
function reasons({ why, tried }) {
  return [
    el('ul', why.map((sentence) => el('li', visible(sentence)))),
    tried?.length > 0 && el('ul.tried', tried.map(({ path, result }) =>
      el('li', el('code', visible(path)), ' ', el('span.soft', result)))),
  ];
}

function runner({ program, application }) {
  if (program) {
    const { path, pid, ending, cpu, memory } = program;
    return part('The program', facts([['File', el('code', path)], ['Process', pid], ['Ended with', ending],
      ['Processor time', cpu && time(cpu)], ['Most memory', memory && size(1024 * memory)]]));
  }
  return application && part('The application', facts([['Backend', el('code', application.backend)],
    ['Before', application.tried.join(', ') || null], ['Connection', application.kept ? 'kept from before' : 'new']]));
}

const copier = (label, text) => text && el('button', { type: 'button', click: (event) => copy(event.target, label, text) }, label);

async function copy(button, label, text) {
  const done = await navigator.clipboard.writeText(text).then(() => true, () => false);
  write(button, done ? 'Copied' : 'The browser forbids it');
  write($('news'), done ? `${label}: done` : 'Not copied');
  setTimeout(() => write(button, label), 1500);
}

function buttons(journey) {
  const toggle = revealed && token() ? ['Mask secrets', () => reveal(false)]
    : JSON.stringify(journey).includes('"masked":true') && ['Reveal secrets', () => reveal(true)];
  return el('p.buttons', copier('Copy as curl', journey.curl), copier('Copy the run', journey.run),
    toggle && el('button', { type: 'button', click: toggle[1] }, toggle[0]));
}

const title = (...children) => el('h2', { id: 'journey-title', tabindex: -1 }, ...children);
const back = () => el('p.back', el('a', { href: '#/requests' }, '← All requests'));

function journeyPage(journey) {
  const { request, response } = journey;
  const [stdin, stderr] = [bytes('stdin', journey.stdin), bytes('stderr', journey.stderr)];
  return [
    back(),
    title(status(journey), ` ${journey.method} `, el('span.target', visible(journey.target))),
    el('p.soft', el('time', { datetime: journey.at }, new Date(journey.at).toLocaleString('en-GB')),
      ` from ${journey.client}, ${journey.kind}${journey.route ? ` by ${placeOf(journey)}` : ''}, ${time(journey.took)}, ${size(journey.sent)} sent, id ${journey.id}`),
    journey.findings.map(finding),
    buttons(journey),
    el('div.columns',
      el('div', part('The journey', timeline(journey.steps)), runner(journey)),
      el('div',
        part('The request', head(request.line, request.fields)),
        !journey.stdin && bytes('Its body', request.body),
        part('Why it went there', reasons(journey)),
        part('The response', head(`${response.status}`, response.fields)))),
    el('div.columns', (stdin || stderr) && el('div', stdin, stderr), bytes('stdout', journey.stdout)),
    journey.variables.length > 0 && part('What the program was told', variables(journey.variables)),
  ];
}

/** The journey that is open, by number, and whether its secrets are shown. */
let opened = null;
let revealed = false;

/** Marks the row of the journey that is open. */
function point({ journey, row: shown }) {
  shown.firstChild.ariaCurrent = journey.seq === opened ? 'true' : null;
}

/** Shows one journey, unless another was opened while it came. */
async function open(seq) {
  const journey = await ask(`/api/journeys/${seq}${revealed && token() ? '?reveal=1' : ''}`, true);
  if (opened !== seq || journey === undefined) return;
  $('journey').replaceChildren(...(journey ? journeyPage(journey) : lost(seq)).flat().filter(Boolean));
}

const lost = (seq) => [
  back(),
  title(`Request ${seq} is not here`),
  el('p', 'The console keeps the last requests alone, and none of an earlier run.'),
];

async function select(seq) {
  const before = opened;
  opened = seq;
  revealed = false;
  $('requests').classList.toggle('open', seq != null);
  $('journey').hidden = seq == null;
  known.forEach(point);
  if (seq == null) {
    known.get(before)?.row.firstChild.focus();
    return;
  }
  $('journey').replaceChildren(title(`Request ${seq}`));
  await open(seq);
  $('journey-title').focus();
  scrollTo(0, 0);
}

// The token

const token = () => sessionStorage.getItem('token');

function unlock() {
  $('token').value = '';
  write($('wrong'), '');
  $('key').showModal();
}

function reveal(yes) {
  revealed = yes;
  return yes && !token() ? unlock() : open(opened);
}

/** Takes the token from a link or as it is. */
function keep(text) {
  sessionStorage.setItem('token', text.trim().replace(/^.*token=/, ''));
}

async function enter(event) {
  event.preventDefault();
  keep($('token').value);
  await open(opened);
  if (!token()) return write($('wrong'), 'The console does not know this token.');
  $('key').close();
  return $('journey-title')?.focus();
}

// The toll

const PARTS = [['start', 'starting, connecting'], ['work', 'its own work'], ['relay', 'sending']];

async function toll() {
  const answer = await ask('/api/toll');
  if (!answer) return;
  const routes = answer.routes.toSorted((one, other) => other.total - one.total);
  const longest = Math.max(1, ...routes.map((route) => route.total));
  $('tolls').replaceChildren(...(routes.length ? [chart(routes, longest), table(routes)]
    : [el('p.soft', 'No request yet.')]));
}

/** Bars on one scale, so that routes can be compared. */
function chart(routes, longest) {
  const bars = routes.map((route) => {
    const whole = $('shares').checked ? PARTS.reduce((sum, [name]) => sum + route[name], 0) : longest;
    let from = 0;
    const pieces = PARTS.map(([name]) => {
      from += route[name];
      return route[name] > 0 && piece(name, (from - route[name]) / whole, route[name] / whole);
    });
    return el('li', el('code', placeOf(route)), el('span.soft', kindOf(route)),
      el('span.bar', pieces), el('span.at', time(route.total)));
  });
  const legend = PARTS.map(([name, words]) => el('span', el(`i.${name}`), words));
  return el('figure', { 'aria-hidden': true }, el('figcaption.legend', legend), el('ol.tolls', bars));
}

/** A route, after its site where there are several. */
const placeOf = ({ site, route }) => (site ? `${site} ${route}` : route);

const kindOf = ({ kind }) => ({ program: 'program (CGI)', application: 'application (FastCGI)' }[kind] ?? kind);

function table(routes) {
  const heads = ['Route', 'Kind', 'Requests', 'Start', 'Work', 'Relay', 'In all'];
  const rows = routes.map((all) =>
    [placeOf(all), kindOf(all), number(all.requests), ...[all.start, all.work, all.relay, all.total].map(time)]);
  return grid('The same in figures, on average', heads, rows);
}

/** A table. The first cell of a row is its head. */
function grid(caption, heads, rows) {
  return scroller(caption, el('table',
    el('caption', caption),
    el('thead', el('tr', heads.map((text) => el('th', { scope: 'col' }, text)))),
    el('tbody', rows.map(([first, ...rest]) => el('tr',
      el('th', { scope: 'row' }, first), rest.map((text) => el('td', text)))))));
}

// Live state

/** The meters: a name, where in the state it is, what adds up to what is used, the most, and its unit. */
const METERS = [
  ['Connections', 'connections', ['idle', 'head', 'body', 'busy', 'sending'], 'max', number],
  ['Workers', 'workers', ['busy'], 'all', number],
  ['Programs', 'programs', ['running'], 'max', number],
  ['Line for programs', 'programs', ['waiting'], 'line', number],
  ['Spool', 'spool', ['used'], 'max', size],
  ['Descriptors', 'descriptors', ['open'], 'max', number],
];
/** A meter is near its end from here on. */
const NEAR = 0.8;

function meter([name]) {
  return el('li', el('b', name), el('span.at'),
    el('div.bar', { role: 'meter', 'aria-label': name, 'aria-valuemin': 0 }, el('i')), el('span.soft'));
}

function measure(row, [, key, parts, most, unit], values) {
  const max = values[key]?.[most];
  row.hidden = max == null;
  if (row.hidden) return;
  const now = parts.reduce((sum, name) => sum + values[key][name], 0);
  const share = max ? Math.min(1, now / max) : 0;
  const words = `${unit(now)} of ${unit(max)}${share >= NEAR ? ', near its end' : ''}`;
  const [, figure, bar, rest] = row.children;
  write(figure, words);
  if (parts[1]) write(rest, parts.map((name) => `${name} ${number(values[key][name])}`).join(', '));
  Object.assign(bar, { ariaValueMax: max, ariaValueNow: now, ariaValueText: words });
  bar.classList.toggle('near', share >= NEAR);
  bar.firstChild.style.width = `${100 * share}%`;
}

function backends(all) {
  const heads = ['Backend', 'Route', 'Health', 'Busy', 'Kept', 'Requests', 'Failures'];
  const rows = all.map((one) => [one.address, placeOf(one), one.up ? 'up' : 'down', `${one.busy} of ${one.max}`,
    ...[one.kept, one.requests, one.failures].map(number)]);
  const said = JSON.stringify(rows);
  if ($('backends').dataset.said === said) return;
  $('backends').dataset.said = said;
  $('backends').replaceChildren(rows.length ? grid('Applications (FastCGI)', heads, rows)
    : el('p.soft', 'There is none: no route leads to an application.'));
}

let started = null; // when the server did, in seconds

/** A state, each second. A server that started at another time is another one, whose numbers begin again. */
function state(now) {
  const start = Date.now() / 1000 - now.uptime;
  if (started && Math.abs(start - started) > 2) begin();
  started = start;
  const words = [`tollgate ${now.version}, up for ${uptime(now.uptime)}`,
    now.memory == null ? null : `${size(1024 * now.memory)} of memory`,
    now.lines_dropped ? `${number(now.lines_dropped)} lines of the log dropped` : null];
  write($('about'), words.filter(Boolean).join(' · '));
  METERS.forEach((meant, index) => measure($('meters').children[index], meant, now));
  backends(now.backends ?? []);
  if (!$('toll').hidden) toll();
}

// Why there?

const where = () => new URLSearchParams(location.hash.split('?')[1]);

async function explain() {
  const [url, method] = [where().get('url'), where().get('method') ?? 'GET'];
  $('answer').replaceChildren();
  if (!url) return;
  [$('url').value, $('method').value] = [url, method];
  const answer = await ask(`/api/why?${new URLSearchParams({ url, method })}`);
  if (!answer || where().get('url') !== url) return;
  $('answer').replaceChildren(el('article',
    el('h2', 'It ', visible(answer.outcome)),
    facts([['Path', answer.path], ['Route', placeOf(answer)], ['Kind', answer.kind],
      ['Reason', answer.reason && el('code', answer.reason)]]),
    ...reasons(answer).filter(Boolean)));
}

function askWhy(event) {
  event.preventDefault();
  history.pushState(null, '', `#/why?${new URLSearchParams({ url: $('url').value, method: $('method').value })}`);
  explain();
}

// The way to the server

/** Null where the server has no such thing; undefined where it does not answer, which is told. */
async function ask(path, secret) {
  const headers = secret && token() ? { 'X-Tollgate-Token': token() } : {};
  try {
    const response = await fetch(path, { headers, cache: 'no-store' });
    if (headers['X-Tollgate-Token'] && [401, 403].includes(response.status)) {
      sessionStorage.removeItem('token');
      return ask(path);
    }
    return response.ok ? await response.json() : null;
  } catch {
    return connected(false);
  }
}

/** Tells whether the server answers; without being told, as before. */
function connected(yes = $('trouble').hidden) {
  $('trouble').hidden = yes;
  write($('trouble'), yes ? '' : 'The console does not answer; trying again.');
  write($('live'), !yes ? 'not connected' : paused ? 'paused' : 'live');
  $('live').className = yes && !paused ? 'on' : '';
}

/** Takes what came while nobody listened. */
async function catchUp() {
  const answer = await ask(`/api/journeys?after=${last()}`);
  if (answer) take(answer.journeys);
}

/** Forgets all that an earlier server said. */
function begin() {
  Array.from(known.keys()).forEach(forget);
  held.clear();
  return catchUp();
}

let events = null;

/** Listens. A browser tries again by itself when the way is cut, but not when it is refused. */
function listen() {
  events?.close();
  events = new EventSource('/api/events');
  events.onopen = () => {
    connected(true);
    catchUp();
    // Of what was opened meanwhile there is the heading alone.
    if ($('journey').childElementCount === 1) open(opened);
  };
  events.onerror = () => {
    connected(false);
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, RETRY);
  };
  events.addEventListener('state', ({ data }) => state(JSON.parse(data)));
  events.addEventListener('journey', ({ data }) => {
    const journey = JSON.parse(data);
    unsaid.all += 1;
    unsaid.failed += failed(journey) ? 1 : 0;
    take([journey]);
  });
}

/** The server has few places for listeners: a page that nobody sees gives its own back. */
const attend = () => (document.hidden ? events?.close() : listen());

// The address

const VIEWS = { requests: 'Requests', toll: 'The toll', state: 'Live state', why: 'Why there?' };

async function go() {
  const hash = location.hash.slice(1);
  if (hash.startsWith('token=')) {
    keep(hash);
    history.replaceState(null, '', location.pathname);
    return go();
  }
  if (hash === 'main') return $('main').focus();
  const [, view, seq] = hash.split('?')[0].split('/');
  const name = view in VIEWS ? view : 'requests';
  for (const id of Object.keys(VIEWS)) $(id).hidden = id !== name;
  for (const link of document.querySelectorAll('nav a')) link.ariaCurrent = link.hash === `#/${name}` ? 'page' : null;
  document.title = `${seq ? `Request ${seq}` : VIEWS[name]} · tollgate console`;
  if (name === 'requests') await select(Number(seq) || null);
  if (name === 'toll') await toll();
  if (name === 'why') await explain();
}

$('meters').append(...METERS.map(meter));
$('filters').addEventListener('input', filter);
$('pause').addEventListener('click', pause);
$('shares').addEventListener('change', toll);
$('ask').addEventListener('submit', askWhy);
$('unlock').addEventListener('submit', enter);
$('leave').addEventListener('click', () => $('key').close());
$('key').addEventListener('close', () => { revealed &&= token() !== null; });
addEventListener('hashchange', go);
document.addEventListener('visibilitychange', attend);
setInterval(speak, SPEAK_EVERY);
go();
attend();
