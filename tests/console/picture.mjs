// Takes docs/console.png, the picture in README.md, of the real server: `make picture`.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { browser as browse, eventually, serve, site } from './support.mjs';

const GREETING = `#!/bin/sh
echo "Content-Type: text/plain"
echo
echo "Hello, \${QUERY_STRING#name=}"
`;

// Its author forgot the empty line after the header; the page says so.
const FORM = `#!/usr/bin/python3
print("Content-Type: text/html")
print("<h1>Thank you</h1>")
`;

const here = site({
  'www/index.html': '<!DOCTYPE html><title>A site</title><h1>A site</h1>',
  'cgi-bin/hello.sh': GREETING,
  'cgi-bin/form.py': FORM,
});
const server = await serve(here.root);
const browser = await browse();
try {
  const page = await browser.newPage({ viewport: { width: 1180, height: 760 }, colorScheme: 'light' });
  await page.goto(server.link);
  for (const path of ['/', '/cgi-bin/hello.sh?name=Ann', '/cgi-bin/form.py']) {
    await (await fetch(server.public + path)).text();
  }
  const last = page.getByText('/cgi-bin/form.py').first();
  await eventually('the last request is shown', () => last.isVisible());
  await last.click();
  await page.getByRole('heading', { name: 'The journey' }).waitFor();
  const picture = await page.screenshot({ type: 'png' });
  writeFileSync(join(fileURLToPath(new URL('.', import.meta.url)), '../../docs/console.png'), picture);
} finally {
  await browser.close();
  await server.stop();
  here.remove();
}
