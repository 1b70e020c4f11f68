// Runs the real binary, as an operator would, and stops it at the end of the test file.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { after } from 'node:test';

const binary = process.env.CLOAKROOM;
if (!binary) throw new Error('CLOAKROOM must name the binary to test: run `make test-browser`');

/** A port that nobody listened on a moment ago, with the next one free as well. */
export async function freePort() {
  const take = (port) => new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
  for (let i = 0; i < 20; i += 1) {
    const first = await take(0);
    const { port } = first.address();
    const second = await take(port + 1).catch(() => undefined);
    await Promise.all([first, second].map((s) => s && new Promise((done) => { s.close(done); })));
    if (second) return port;
  }
  throw new Error('no two free ports side by side');
}

// Registered here, not in start: an `after` from within a `before` hook runs when that hook is done.
const running = [];
after(() => Promise.all(running.map((run) => run.stop())));

/** Has stop called after the file's tests; for what a `before` hook starts. */
export const atEnd = (stop) => { running.push({ stop }); };

/** Starts `cloakroom ...args`, waits until `url` answers, and stops it after the file's tests. */
export async function start(args, url) {
  const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const run = { output: '' };
  child.stdout.on('data', (chunk) => { run.output += chunk; });
  child.stderr.on('data', (chunk) => { run.output += chunk; });
  const ended = new Promise((resolve) => { child.once('exit', (code, signal) => resolve(code ?? signal)); });
  run.stop = async () => {
    child.kill('SIGTERM');
    return ended;
  };
  running.push(run);
  await answers(url, ended, run);
  return run;
}

async function answers(url, ended, run) {
  const deadline = Date.now() + 20_000;
  let exit;
  ended.then((code) => { exit = code; });
  while (Date.now() < deadline && exit === undefined) {
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok) return;
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  throw new Error(`${url} does not answer (exit: ${exit})\n${run.output}`);
}

/** Starts the demo and reads from its banner where the provider is. */
export async function startDemo({ accessTokenLifetime = '4s' } = {}) {
  const app = `http://localhost:${await freePort()}`;
  const listen = app.replace('http://localhost', '127.0.0.1');
  const run = await start(['demo', '--listen', listen, '--access-token-lifetime', accessTokenLifetime], `${app}/`);
  const provider = /Provider\s+(http:\/\/127\.0\.0\.1:\d+)/.exec(run.output)?.[1];
  if (!provider) throw new Error(`the banner does not name the provider:\n${run.output}`);
  return {
    ...run, app, provider, output: () => run.output,
    status: async () => (await fetch(`${provider}/dev/status`)).json(),
  };
}
