// The console's page in a real browser: what somebody who opens it sees, hears, types and copies.
//
// It is run by tests/integration/console_page.rs, with the server to test in TOLLGATE_BIN.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';

import axe from 'axe-core';
import { HtmlValidate } from 'html-validate';

import { PATIENCE, browser, eventually, serve, site } from './support.mjs';

const HELLO = `#!/bin/sh
printf 'Content-Type: text/plain; charset=utf-8\\r\\n\\r\\n'
printf 'h\\303\\251llo\\tworld \\377 \\n'
printf '%s %s\\n' "$REQUEST_METHOD" "$QUERY_STRING"
cat
echo 'a complaint' >&2
`;
const FILES = {
  'www/index.html': '<!DOCTYPE html><title>home</title>',
  'www/note.txt': 'a note',
  'cgi-bin/hello': HELLO,
  'cgi-bin/broken': HELLO.replace('\n', '\r\n'),
};
const SECRET = 'session=4f5a9c';
const PHONE = { width: 360, height: 740 };
const WIDE = { width: 1400, height: 900 };

const there = site(FILES);
let server;
let chromium;
let context;
let page;
/** What the browser complained of, and the addresses that it asked. */
const complaints = [];
const origins = new Set();

/** A page of the console, watched. */
async function open(in_, address) {
  const opened = await in_.newPage();
  opened.setDefaultTimeout(PATIENCE);
  opened.on('pageerror', (error) => complaints.push(error.message));
  opened.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  opened.on('request', (request) => origins.add(new URL(request.url()).origin));
  await opened.goto(address);
  return opened;
}

const get = (path, fields = {}) => fetch(server.public + path, { headers: fields });
const post = (path, body) => fetch(server.public + path, { method: 'POST', body, headers: { Cookie: SECRET } });

/** The row of the newest request for a target, once it is there. */
async function row(target, on = page) {
  const found = on.locator('#rows li', { has: on.getByText(target, { exact: true }) }).first();
  await found.waitFor();
  return found;
}

/** Opens the newest request for a target by a click. */
async function visit(target, on = page) {
  await on.goto(`${server.console}/#/requests`);
  await (await row(target, on)).locator('a').click();
  await on.getByRole('heading', { name: 'The journey' }).waitFor();
  return on.locator('#journey');
}

/** The part of a journey under a heading. */
const part = (on, heading) => on.locator('#journey section', { has: on.getByRole('heading', { name: new RegExp(`^${heading}( \\d|$)`) }) }).last();

const shown = async (on = page) => (await on.locator('#rows li:visible .target').allTextContents());

before(async () => {
  server = await serve(there.root);
  chromium = await browser();
  context = await chromium.newContext({ viewport: WIDE, permissions: ['clipboard-read', 'clipboard-write'] });
  page = await open(context, server.link);
});

after(async () => {
  await chromium?.close();
  await server?.stop();
  there.remove();
});

test('the token is taken from the link and leaves the address bar', async () => {
  await eventually('the address is bare', () => page.url() === `${server.console}/`);
  assert.equal(await page.evaluate(() => sessionStorage.getItem('token')), server.token);
  await page.getByText('No request yet').waitFor();
  await page.locator('#live.on').waitFor();
});

test('a request appears as it ends, the newest on top, without a reload', async () => {
  await page.evaluate(() => { globalThis.stays = true; });
  await get('/note.txt');
  await row('/note.txt');
  await post('/cgi-bin/hello?x=1', 'name=Ada\r\n');
  await row('/cgi-bin/hello?x=1');
  await get('/cgi-bin/broken');
  await row('/cgi-bin/broken');
  await get('/nowhere');
  await row('/nowhere');
  assert.deepEqual(await shown(), ['/nowhere', '/cgi-bin/broken', '/cgi-bin/hello?x=1', '/note.txt']);
  assert.equal(await page.evaluate(() => globalThis.stays), true);
  assert.match(await (await row('/nowhere')).innerText(), /404[\s\S]*GET/);
  await page.getByText('No request yet').waitFor({ state: 'hidden' });
});

test('what came before the page was opened is there too', async () => {
  const second = await open(context, `${server.console}/`);
  await row('/note.txt', second);
  assert.equal((await shown(second)).length, 4);
  await second.close();
});

test('a request is opened, with its journey, and can be linked and gone back from', async () => {
  const journey = await visit('/cgi-bin/hello?x=1');
  assert.match(page.url(), /#\/requests\/\d+$/);
  assert.match(await page.title(), /^Request \d+/);
  assert.equal(await page.evaluate(() => document.activeElement.id), 'journey-title');

  const steps = await journey.locator('.timeline li').allInnerTexts();
  const names = steps.map((step) => step.split('\n')[0]);
  for (const name of ['received', 'resolved', 'started', 'first byte', 'last byte']) assert.ok(names.includes(name), steps);
  assert.ok(steps.every((step) => /\d (µs|ms|s)/.test(step)), steps);
  const bars = await journey.locator('.timeline .bar i').evaluateAll((all) =>
    all.map((bar) => [parseFloat(bar.style.left), parseFloat(bar.style.width)]));
  assert.equal(bars.length, steps.length - 1);
  assert.ok(bars.every(([from, length]) => from >= 0 && from + length < 100.01), JSON.stringify(bars));
  assert.ok(bars.every(([from], at) => at === 0 || from >= bars[at - 1][0]), JSON.stringify(bars));

  const link = page.url();
  const linked = await open(context, link);
  await linked.getByRole('heading', { name: 'The journey' }).waitFor();
  await linked.close();

  await page.goBack();
  await journey.waitFor({ state: 'hidden' });
  assert.equal(await page.evaluate(() => document.activeElement.hash), new URL(link).hash);
  await page.goForward();
  await page.getByRole('heading', { name: 'The journey' }).waitFor();
});

test('an opened request shows what was received, told, printed, and why it went there', async () => {
  await visit('/cgi-bin/hello?x=1');
  const request = await part(page, 'The request').innerText();
  assert.match(request, /POST \/cgi-bin\/hello\?x=1 HTTP\/1\.1/);
  assert.match(request, /host: 127\.0\.0\.1/i);
  assert.match(await part(page, 'Why it went there').innerText(), /\/cgi-bin\//);
  assert.match(await part(page, 'The program').innerText(), /exit status 0/);
  assert.match(await part(page, 'The response').innerText(), /200[\s\S]*text\/plain/i);
  assert.match(await part(page, 'stdin').innerText(), /name=Ada\\r\\n/);
  assert.match(await part(page, 'stderr').innerText(), /a complaint\\n/);

  const stdout = await part(page, 'stdout').innerText();
  assert.match(stdout, /charset=utf-8\\r\\n/);
  assert.match(stdout, /héllo\\tworld \\xff·\\n/);

  const name = part(page, 'What the program was told').locator('dl > div', { hasText: 'SCRIPT_NAME' });
  assert.match(await name.innerText(), /\/cgi-bin\/hello/);
  assert.match(await name.getByRole('link').getAttribute('href'), /rfc3875#section-4\.1\.13$/);
});

test('a failure has its cause and what mends it above all else', async () => {
  const journey = await visit('/cgi-bin/broken');
  const finding = journey.locator('.finding');
  assert.match(await finding.innerText(), /cgi\.carriage-return[\s\S]*To mend it: sed/);
  assert.ok((await finding.boundingBox()).y < (await journey.locator('.timeline').boundingBox()).y);
});

test('filters leave what one looks for', async () => {
  await page.goto(`${server.console}/#/requests`);
  await page.getByLabel('Text').fill('HELLO');
  assert.deepEqual(await shown(), ['/cgi-bin/hello?x=1']);
  await page.getByLabel('Text').fill('no such thing');
  await page.getByText(/None of the last \d+ requests/).waitFor();
  await page.getByLabel('Text').fill('');
  await page.getByLabel('Status').selectOption('4xx');
  assert.deepEqual(await shown(), ['/nowhere']);
  await page.getByLabel('Status').selectOption('any');
  await page.getByLabel('Kind').selectOption('file');
  assert.deepEqual(await shown(), ['/note.txt']);
  await page.getByLabel('Kind').selectOption('any');
  await page.getByLabel('Only failures').check();
  assert.deepEqual(await shown(), ['/nowhere', '/cgi-bin/broken']);
  await get('/note.txt?unseen');
  await eventually('it came', () => page.locator('#rows li').count().then((count) => count === 5));
  assert.deepEqual(await shown(), ['/nowhere', '/cgi-bin/broken']);
  await page.getByLabel('Only failures').uncheck();
  assert.equal((await shown()).length, 5);
});

test('a list that is held stands still, and nothing is lost', async () => {
  await page.getByRole('button', { name: 'Pause' }).click();
  await get('/note.txt?held');
  await page.getByRole('button', { name: 'Resume (1 new)' }).waitFor();
  assert.equal((await shown()).length, 5);
  await page.getByRole('button', { name: 'Resume' }).click();
  await row('/note.txt?held');
  await page.getByRole('button', { name: 'Pause' }).waitFor();
});

test('a page that nobody sees listens no more, and then catches up', async () => {
  const second = await open(context, `${server.console}/#/requests`);
  await row('/note.txt?held', second);
  const turn = (hidden) => second.evaluate((is) => {
    Object.defineProperty(document, 'hidden', { value: is, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
  await turn(true);
  await get('/note.txt?missed');
  await row('/note.txt?missed');
  assert.ok(!(await shown(second)).includes('/note.txt?missed'));
  await turn(false);
  await row('/note.txt?missed', second);
  await second.close();
});

test('where there are listeners enough the page waits for its turn', async () => {
  const others = new AbortController();
  // The page that is open is one.
  const streams = await Promise.all(Array.from({ length: 7 }, () =>
    eventually('a place is free', async () => {
      const stream = await fetch(`${server.console}/api/events`, { signal: others.signal });
      return stream.ok && stream;
    })));
  assert.equal(streams.length, 7);
  const ninth = await open(context, `${server.console}/#/requests`);
  await ninth.getByRole('alert').getByText('trying again').waitFor();
  others.abort();
  await ninth.locator('#live.on').waitFor();
  await row('/note.txt?missed', ninth);
  await ninth.close();
});

test('secrets are masked until they are revealed by hand', async () => {
  const journey = await visit('/cgi-bin/hello?x=1');
  assert.match(await part(page, 'The request').innerText(), /cookie: •••/i);
  assert.ok(!(await journey.innerText()).includes(SECRET));
  await journey.getByRole('button', { name: 'Reveal secrets' }).click();
  await journey.getByText(SECRET).first().waitFor();
  await journey.getByRole('button', { name: 'Mask secrets' }).click();
  await journey.getByRole('button', { name: 'Reveal secrets' }).waitFor();
  assert.ok(!(await journey.innerText()).includes(SECRET));
});

test('without the token it is asked for, a wrong one is told, and the right one opens', async () => {
  const stranger = await chromium.newContext({ viewport: PHONE });
  const other = await open(stranger, `${server.console}/`);
  await visit('/cgi-bin/hello?x=1', other);
  assert.match(await part(other, 'stdout').innerText(), /Shown to whoever has the token/);
  await other.getByRole('button', { name: 'Reveal secrets' }).click();
  const dialog = other.getByRole('dialog');
  await dialog.getByLabel('Token').fill('0'.repeat(32));
  await dialog.getByRole('button', { name: 'Unlock' }).click();
  await dialog.getByText('does not know this token').waitFor();
  await dialog.getByLabel('Token').fill(server.link);
  await dialog.getByRole('button', { name: 'Unlock' }).click();
  await dialog.waitFor({ state: 'hidden' });
  await other.locator('#journey').getByText(SECRET).first().waitFor();
  assert.match(await part(other, 'stdout').innerText(), /héllo/);
  await stranger.close();
});

test('the request is copied as curl, and the run of the program as a line that repeats it', async () => {
  const journey = await visit('/cgi-bin/hello?x=1');
  const copied = async (name) => {
    await journey.getByRole('button', { name }).click();
    await journey.getByRole('button', { name: 'Copied' }).waitFor();
    const text = await page.evaluate(() => navigator.clipboard.readText());
    await journey.getByRole('button', { name }).waitFor();
    return text;
  };
  const curl = await copied('Copy as curl');
  assert.match(curl, /\bcurl -/);
  assert.ok(curl.includes('/cgi-bin/hello?x=1') && !curl.includes(SECRET), curl);
  const run = await copied('Copy the run');
  assert.match(run, /env -i /);
  const printed = execFileSync('/bin/sh', ['-c', run], { encoding: 'latin1', stdio: ['ignore', 'pipe', 'ignore'] });
  assert.ok(printed.endsWith('POST x=1\nname=Ada\r\n'), printed);
});

test('the toll is drawn and told, per route', async () => {
  await page.goto(`${server.console}/#/toll`);
  const table = page.getByRole('table');
  await table.getByRole('rowheader', { name: '/cgi-bin/' }).waitFor();
  assert.match(await table.getByRole('row', { name: '/cgi-bin/' }).innerText(), /program \(CGI\)\s+\d+\s+[\d.]+ (µs|ms|s)/);
  const bar = page.locator('.tolls li', { hasText: '/cgi-bin/' }).locator('.bar');
  const width = () => bar.locator('i').evaluateAll((all) => all.reduce((sum, one) => sum + parseFloat(one.style.width), 0));
  assert.ok(await width() > 0);
  await page.getByLabel('Every bar at full width').check();
  await eventually('the shares fill the bar', async () => await width() > 99);
});

test('the live state has a meter for each limit, with words', async () => {
  await page.goto(`${server.console}/#/state`);
  for (const name of ['Connections', 'Workers', 'Programs']) {
    const meter = page.getByRole('meter', { name, exact: true });
    await eventually(`${name} is told`, async () => / of /.test(await meter.getAttribute('aria-valuetext') ?? ''));
  }
  assert.match(await page.locator('#about').innerText(), /^tollgate \d/);
});

test('any URL is explained, and that can be linked', async () => {
  await page.goto(`${server.console}/#/why`);
  await page.getByRole('textbox', { name: 'URL' }).fill('/cgi-bin/hello/extra?y=2');
  await page.getByRole('button', { name: 'Explain' }).click();
  await page.getByRole('heading', { name: /would run/ }).waitFor();
  assert.match(await page.locator('#answer').innerText(), /\/cgi-bin\//);
  const linked = await open(context, page.url());
  await linked.getByRole('heading', { name: /would run/ }).waitFor();
  await linked.close();
});

test('what a request says stays text', async () => {
  await page.goto(`${server.console}/#/requests`);
  const target = '/note.txt?<img/src=x>';
  await get(target, { 'X-Markup': '<img src=x onerror="document.title=1"><script>1</script>' });
  const entry = page.locator('#rows li', { hasText: 'img' }).first();
  await entry.waitFor();
  await entry.locator('a').click();
  await page.getByRole('heading', { name: 'The journey' }).waitFor();
  assert.match(await part(page, 'The request').innerText(), /<img src=x onerror=/);
  assert.equal(await page.locator('main img, main script').count(), 0);
});

test('all of it is reached and worked by keyboard, and the focus is seen', async () => {
  const keys = await open(context, `${server.console}/#/requests`);
  await row('/cgi-bin/hello?x=1', keys);
  await keys.keyboard.press('Tab');
  assert.equal(await keys.evaluate(() => document.activeElement.className), 'skip');
  const passed = [];
  for (let presses = 0; presses < 20; presses += 1) {
    await keys.keyboard.press('Tab');
    const at = await keys.evaluate(() => {
      const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
      return { is: document.activeElement.id || document.activeElement.hash, outline: `${outlineStyle} ${outlineWidth}` };
    });
    assert.equal(at.outline, 'solid 2px', JSON.stringify(at));
    passed.push(at.is);
    if (at.is.startsWith('#/requests/')) break;
  }
  for (const wanted of ['#/requests', '#/toll', '#/state', '#/why', 'text', 'status', 'kind', 'failures', 'pause']) {
    assert.ok(passed.includes(wanted), `${wanted} in ${passed}`);
  }
  await keys.keyboard.press('Enter');
  await keys.getByRole('heading', { name: 'The journey' }).waitFor();
  await keys.close();
});

test('a screen reader is not flooded', async () => {
  await page.goto(`${server.console}/#/requests`);
  await page.evaluate(() => {
    globalThis.spoken = [];
    globalThis.since = performance.now();
    new MutationObserver(() => globalThis.spoken.push(document.getElementById('news').textContent))
      .observe(document.getElementById('news'), { childList: true });
  });
  const earlier = await page.locator('#rows li').count();
  for (let count = 0; count < 30; count += 1) await get(`/note.txt?many=${count}`);
  await eventually('all came', async () => await page.locator('#rows li').count() === earlier + 30);
  await eventually('it is spoken of', () => page.evaluate(() => globalThis.spoken.length > 0));
  const { spoken, lasted } = await page.evaluate(() => ({ spoken: globalThis.spoken, lasted: performance.now() - globalThis.since }));
  assert.ok(spoken.length <= lasted / 5000 + 1, `${spoken} in ${lasted} ms`);
  assert.match(spoken[0], /^\d+ new, none failed$/);
});

/** How to come to each view. */
const views = (on) => {
  const to = (hash, ready) => async () => {
    await on.goto(`${server.console}/${hash}`);
    await on.locator(ready).first().waitFor();
  };
  return {
    requests: to('#/requests', '#rows li'),
    program: () => visit('/cgi-bin/hello?x=1', on),
    failure: () => visit('/cgi-bin/broken', on),
    toll: to('#/toll', '#tolls table'),
    state: to('#/state', '#meters li:visible'),
    why: to('#/why?url=/cgi-bin/hello', '#answer h2'),
    token: async () => {
      await visit('/cgi-bin/hello?x=1', on);
      await on.evaluate(() => sessionStorage.clear());
      await on.getByRole('button', { name: 'Reveal secrets' }).click();
      await on.getByRole('dialog').waitFor();
    },
  };
};

// Colours do not depend on the width, nor the layout on the colours.
for (const [colorScheme, viewport] of [['light', PHONE], ['dark', WIDE]]) {
  test(`every view can be read, ${colorScheme}, ${viewport.width} px wide`, async () => {
    const looks = await chromium.newContext({ viewport, colorScheme, reducedMotion: 'reduce' });
    const on = await open(looks, server.link);
    for (const [name, show] of Object.entries(views(on))) {
      await show();
      const width = await on.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= viewport.width, `${name} is ${width} wide`);
      await on.evaluate(axe.source);
      const { violations } = await on.evaluate(() => globalThis.axe.run());
      const told = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html)}`);
      assert.deepEqual(told, [], name);
      assert.equal(await on.evaluate(() => document.getAnimations().length), 0);
    }
    const paper = await on.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number));
    assert.equal(paper.every((level) => level < 80), colorScheme === 'dark', `${paper}`);
    await looks.close();
  });
}

test('the page is valid HTML, as it is sent and as it is shown', async () => {
  const sent = await (await fetch(server.console)).text();
  // What is written into style by script is there when the document is written out, and there alone.
  const rules = { 'no-inline-style': 'off', 'doctype-style': 'off', 'attribute-boolean-style': 'off', 'attribute-empty-style': 'off', 'no-trailing-whitespace': 'off' };
  await visit('/cgi-bin/hello?x=1');
  for (const [html, more] of [[sent, {}], [await page.content(), rules]]) {
    const validator = new HtmlValidate({ extends: ['html-validate:recommended'], rules: more });
    const { results } = await validator.validateString(html);
    assert.deepEqual(results.flatMap(({ messages }) => messages.map(({ ruleId, message, line }) => `${line}: ${ruleId}: ${message}`)), []);
  }
});

test('nothing is asked of any other server, and the browser has nothing to complain of', () => {
  assert.deepEqual([...origins].filter((origin) => origin !== 'null'), [server.console]);
  // That a wrong token is refused, and a ninth listener, was meant to be.
  assert.deepEqual(complaints.filter((text) => !/status of (403|503)/.test(text)), []);
});

test('when the server goes the page says so, and goes on when there is one again', async () => {
  await page.goto(`${server.console}/#/requests`);
  const { console: address } = server;
  await server.stop();
  await page.getByRole('alert').getByText('The console does not answer; trying again.').waitFor();
  assert.equal(await page.locator('#live').innerText(), 'not connected');
  server = await serve(there.root, new URL(address).host);
  await page.locator('#trouble').waitFor({ state: 'hidden' });
  await get('/note.txt?again');
  await row('/note.txt?again');
  await eventually('what the earlier one said is gone', async () => (await shown()).length === 1);
});
