// One Chromium for a test file, a context of its own for each person.
import { mkdirSync } from 'node:fs';
import { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

import { watch } from './leaks.mjs';

const out = fileURLToPath(new URL('../out/', import.meta.url));
let browser;

before(async () => {
  mkdirSync(out, { recursive: true });
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update',
      '--disable-sync', '--no-first-run', '--disable-dev-shm-usage'],
  });
});

after(() => browser?.close());

/** A fresh browser profile whose every answer is searched for tokens; done() closes it and says what was found. */
export async function person(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  context.setDefaultTimeout(15_000);
  const leaks = watch(context);
  return {
    context,
    page: () => context.newPage(),
    leaks,
    done: async () => {
      const found = await leaks.finish();
      await context.close();
      return found;
    },
  };
}

/** An element of the sample app, by the name that tests and app agree on. */
export const el = (page, name) => page.locator(`[data-testid="${name}"], #${name}`).first();

/** Screenshots are test output: people look at them. */
export const shot = (page, name) => page.screenshot({ path: `${out}${name}.png`, fullPage: true });

/** Waits until ask() gives something true, and returns it. */
export async function until(ask, what, timeout = 15_000) {
  const deadline = Date.now() + timeout;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`waited ${timeout} ms for ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
}
