// An API's answers, opened as pages of the app's origin: whatever their type, no script in them runs as the app. What is
// inert works as it always did.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { person } from './browser.mjs';
import { atEnd, freePort, start } from './cloakroom.mjs';

const folder = mkdtempSync(join(tmpdir(), 'cloakroom-inert-'));
let site;
const evidence = []; // what a script that ran has told
const answers = new Map(); // header lines and body by path

const script = (name) => `fetch('/files/evidence?${name}&' + encodeURIComponent(localStorage.getItem('app') + document.cookie));`;
const html = (name) => `<!doctype html><title>x</title><script>${script(name)}</script><img src="x" onerror="${script(name).replaceAll('&', '&amp;')}">`;
const svg = (name) => `<svg xmlns="http://www.w3.org/2000/svg"><script>//<![CDATA[\n${script(name)}\n//]]></script></svg>`;
const xhtml = (name) => `<html xmlns="http://www.w3.org/1999/xhtml"><head><script>//<![CDATA[\n${script(name)}\n//]]></script></head></html>`;
const xslt = (name) => `<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="/files/style"?><x>${name}</x>`;
const frame = (part) => `--b\r\nContent-Type: text/html\r\n\r\n${part}\r\n--b--`;

/** Answers that a browser might run: what stands between status line and body, and the body. */
const active = {
  'no-type': ['', html], 'no-type-chunked': ['Transfer-Encoding: chunked', (n) => chunk(html(n))], 'empty-type': ['Content-Type:', html],
  html: ['Content-Type: text/html', html], 'html-upper': ['CONTENT-TYPE: TEXT/HTML; CHARSET=UTF-8', html], 'html-junk': ['Content-Type: text/html junk', html],
  'html-own-policy': ['Content-Type: text/html\r\nContent-Security-Policy: sandbox allow-scripts allow-same-origin; default-src *', html],
  'two-types': ['Content-Type: text/plain\r\nContent-Type: text/html', html], 'two-types-other-way': ['Content-Type: text/html\r\nContent-Type: text/plain', html],
  list: ['Content-Type: text/plain, text/html', html], 'list-other-way': ['Content-Type: text/html, text/plain', html],
  'no-slash': ['Content-Type: html', html], unknown: ['Content-Type: application/x-anything', html], 'star-type': ['Content-Type: */*', html],
  svg: ['Content-Type: image/svg+xml', svg], 'svg-charset': ['Content-Type: image/svg+xml;charset', svg], 'svg-upper': ['Content-Type: IMAGE/SVG+XML', svg],
  xml: ['Content-Type: text/xml', xhtml], 'application-xml': ['Content-Type: application/xml', xhtml], xhtml: ['Content-Type: application/xhtml+xml', xhtml],
  'audio-xml': ['Content-Type: audio/x+xml', xhtml], 'rss-xml': ['Content-Type: application/rss+xml', xhtml], xslt: ['Content-Type: text/xml', xslt],
  multipart: ['Content-Type: multipart/x-mixed-replace; boundary=b', (n) => frame(html(n))], mhtml: ['Content-Type: multipart/related; boundary=b', (n) => frame(html(n))],
  message: ['Content-Type: message/rfc822', html], javascript: ['Content-Type: text/javascript', script], css: ['Content-Type: text/css', html],
};
/** Types that stay as they are: HTML in them is text, or a file. */
const inert = ['text/plain', 'text/csv', 'application/json', 'application/problem+json', 'application/octet-stream', 'application/pdf', 'image/png', 'image/jpeg',
  'image/gif', 'image/webp', 'audio/mpeg', 'video/mp4', 'font/woff2', 'text/event-stream', 'application/protobuf', 'application/grpc'];

const chunk = (body) => `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n0\r\n\r\n`;

function api() {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (request) => {
      const path = request.toString().split(' ')[1];
      if (path.startsWith('/evidence')) evidence.push(path);
      const [status, lines, body] = answers.get(path) ?? ['404 Not Found', 'Content-Type: text/plain', 'nothing'];
      socket.write(`HTTP/1.1 ${status}\r\n${lines ? `${lines}\r\n` : ''}Connection: close\r\n\r\n`);
      socket.end(body);
    });
  });
  atEnd(() => server.close());
  return new Promise((resolve) => { server.listen(0, '127.0.0.1', () => resolve(server.address().port)); });
}

before(async () => {
  const port = await freePort();
  site = `http://localhost:${port}`;
  writeFileSync(join(folder, 'cloakroom.yaml'), `
server: {public_url: "${site}", listen: "127.0.0.1:${port}", admin_listen: "127.0.0.1:${port + 1}", drain_delay: 0s}
log: {level: error, format: text}
session: {store: "memory:"}
providers: [{id: main, issuer: "http://127.0.0.1:1", client_id: app, client_secret: not-a-secret, scopes: [openid]}]
routes: [{path: /files/, upstream: "http://127.0.0.1:${await api()}", token: none, csrf: none}]
spa: {dir: "${folder}"}
`);
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>app</title><h1>app</h1>');
  writeFileSync(join(folder, 'control.html'), html('control'));
  writeFileSync(join(folder, 'control.svg'), svg('control-svg'));
  answers.set('/style', ['200 OK', 'Content-Type: text/xml', `<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/">
<html><script>${script('xslt').replaceAll('&', '&amp;')}</script></html></xsl:template></xsl:stylesheet>`]);
  await start(['serve', '--config', join(folder, 'cloakroom.yaml')], `http://127.0.0.1:${port + 1}/healthz`);
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Opens addresses as pages, one after another, and waits until each is done with what it does. */
async function open(page, paths) {
  for (const path of paths) {
    await page.goto(site + path, { waitUntil: 'load', timeout: 5_000 }).catch(() => {}); // a download is no page
  }
  await page.goto(`${site}/`);
  await page.waitForTimeout(300);
}

test('no answer of an API runs as the app, however its type is spelled', async () => {
  const alice = await person();
  const page = await alice.page();
  await page.goto(`${site}/`);
  await page.evaluate(() => localStorage.setItem('app', 'what only the app may read'));
  await open(page, ['/control.html', '/control.svg']);
  for (const control of ['control&', 'control-svg&']) { // what a script that runs does
    assert.ok(evidence.some((e) => e.includes(control) && e.includes('only')), `the test can't see ${control}: ${evidence}`);
  }
  evidence.length = 0;

  const paths = [];
  for (const [name, [lines, body]] of Object.entries(active)) {
    for (const [status, code] of [['200 OK', ''], ['404 Not Found', '-404']]) {
      answers.set(`/${name}${code}`, [status, lines, body(name)]);
      paths.push(`/files/${name}${code}`);
    }
  }
  for (const type of inert) {
    answers.set(`/inert/${type}`, ['200 OK', `Content-Type: ${type}`, html(type)]);
    if (type !== 'text/event-stream') paths.push(`/files/inert/${type}`);
  }
  await open(page, paths);
  assert.deepEqual(evidence, [], 'an API\'s answer ran as the app');
  assert.deepEqual(await alice.done(), []);
});

test('inert answers, and what the app itself loads, work as ever', async () => {
  const alice = await person();
  const page = await alice.page();
  await page.goto(`${site}/`);
  const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
  const film = Buffer.from(await page.evaluate(record), 'base64');
  answers.set('/image', ['200 OK', 'Content-Type: image/png', png]);
  answers.set('/film', ['200 OK', 'Content-Type: video/webm', film]);
  answers.set('/data', ['200 OK', 'Content-Type: application/problem+json', '{"a":1}']);
  answers.set('/page', ['200 OK', 'Content-Type: text/html', '<p>for fetch</p>']);
  answers.set('/drawing', ['200 OK', 'Content-Type: image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg" width="7" height="7"/>']);
  answers.set('/lib', ['200 OK', 'Content-Type: text/javascript', 'window.lib = 1']);
  answers.set('/style.css', ['200 OK', 'Content-Type: text/css', 'h1 { color: rgb(1, 2, 3) }']);
  answers.set('/events', ['200 OK', 'Content-Type: text/event-stream', 'data: hello\n\n']);
  answers.set('/pdf', ['200 OK', 'Content-Type: application/pdf', '%PDF-1.4\n%%EOF']);
  answers.set('/file', ['200 OK', 'Content-Type: text/html\r\nContent-Disposition: attachment; filename=report.html', '<p>report</p>']);
  assert.deepEqual(await page.evaluate(use), {
    image: 1, film: 16, drawing: 7, data: 1, page: '<p>for fetch</p>', lib: 1, color: 'rgb(1, 2, 3)', event: 'hello', pdf: 'application/pdf null',
  });

  await page.goto(`${site}/files/image`);
  assert.equal(await page.locator('img').evaluate((i) => i.naturalWidth), 1);
  await page.goto(`${site}/files/film`);
  assert.equal(await page.locator('video').evaluate((v) => v.videoWidth || new Promise((done) => { v.onloadedmetadata = () => done(v.videoWidth); })), 16);
  await page.goto(`${site}/files/data`);
  assert.match(await page.locator('pre').first().innerText(), /\{"a":1\}/);
  const [download] = await Promise.all([page.waitForEvent('download'), page.goto(`${site}/files/file`).catch(() => {})]);
  assert.equal(download.suggestedFilename(), 'report.html');
  assert.deepEqual(await alice.done(), []);
});

/** In the page: makes a short film, base64. */
async function record() {
  const canvas = Object.assign(document.createElement('canvas'), { width: 16, height: 16 });
  const context = canvas.getContext('2d');
  const recorder = new MediaRecorder(canvas.captureStream(30), { mimeType: 'video/webm' });
  const parts = [];
  const stopped = new Promise((resolve) => { recorder.onstop = resolve; });
  recorder.ondataavailable = (e) => parts.push(e.data);
  recorder.start();
  for (let i = 0; i < 20; i += 1) {
    context.fillStyle = i % 2 ? 'red' : 'blue';
    context.fillRect(0, 0, 16, 16);
    await new Promise((resolve) => { setTimeout(resolve, 40); });
  }
  recorder.stop();
  await stopped;
  return btoa(String.fromCharCode(...new Uint8Array(await new Blob(parts).arrayBuffer())));
}

/** In the page: uses answers of the API as an app does. */
async function use() {
  const loaded = (element, url, event = 'load', attribute = 'src') => new Promise((resolve, reject) => {
    element[`on${event}`] = () => resolve(element);
    element.onerror = () => reject(new Error(url));
    element[attribute] = url;
    document.body.append(element);
  });
  const text = (url) => fetch(url).then((r) => r.text());
  const image = await loaded(new Image(), '/files/image');
  const drawing = await loaded(new Image(), '/files/drawing');
  const film = await loaded(document.createElement('video'), '/files/film', 'loadedmetadata');
  await loaded(document.createElement('script'), '/files/lib');
  await loaded(Object.assign(document.createElement('link'), { rel: 'stylesheet' }), '/files/style.css', 'load', 'href');
  const event = await new Promise((resolve) => {
    const source = new EventSource('/files/events');
    source.onmessage = (e) => { source.close(); resolve(e.data); };
  });
  const pdf = await fetch('/files/pdf');
  return {
    image: image.naturalWidth, film: film.videoWidth, drawing: drawing.naturalWidth, data: JSON.parse(await text('/files/data')).a,
    page: await text('/files/page'), lib: window.lib, color: getComputedStyle(document.querySelector('h1')).color, event,
    pdf: `${pdf.headers.get('content-type')} ${pdf.headers.get('content-security-policy')}`,
  };
}
