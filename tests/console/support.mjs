// What the test of the console's page stands on: a server of its own, a browser, and waiting for what has to come.
//
// Rules: nothing sleeps in the hope that something has happened; it is waited for, as long as a busy machine needs.

import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

import { chromium } from 'playwright-core';

// A run that is taken too long ends as any other, and takes its server along.
process.once('SIGTERM', () => process.exit(1));

/** Longer than anything that works takes on a busy machine, in milliseconds. */
export const PATIENCE = 30_000;

/** Waits until a condition holds; what it gives then is handed on. */
export async function eventually(what, condition) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const held = await condition();
    if (held) return held;
    if (Date.now() > end) throw new Error(`never came true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** A folder with www/ and cgi-bin/, removed by `remove`. */
export function site(files) {
  const root = mkdtempSync(join(tmpdir(), 'tollgate-console-'));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
    if (name.startsWith('cgi-bin/')) chmodSync(join(root, name), 0o755);
  }
  return { root, remove: () => rmSync(root, { recursive: true, force: true }) };
}

/** Starts the program under test; it is ready once it has said where it and its console are. */
export async function serve(root, address = '127.0.0.1:0') {
  const flags = ['--listen', '127.0.0.1:0', '--console', address];
  if (process.getuid() === 0) flags.push('--allow-root');
  const child = spawn(process.env.TOLLGATE_BIN, [...flags, root], { stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { said += data; });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  // The line that says what is served is printed before the one of the console.
  const [, front, link, console, token] = await eventually('the server says where it is', () => {
    if (child.exitCode !== null) throw new Error(`the server ended: ${said}`);
    return /(http:\/\/\S+:\d+)\/ [^]*?((http:\/\/\S+:\d+)\/#token=([0-9a-f]+))\s/.exec(said);
  }).catch((error) => {
    kill();
    throw error;
  });
  return {
    public: front,
    link,
    console,
    token,
    async stop() {
      kill();
      await ended;
      process.off('exit', kill);
    },
  };
}

/** The browser that Debian has, without a window. */
export function browser() {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const path = folders.map((folder) => join(folder, 'chromium')).find(existsSync);
  // Its sandbox is not for root, and the pages that it is shown here are our own.
  return chromium.launch({ executablePath: path, args: process.getuid() === 0 ? ['--no-sandbox'] : [] });
}
