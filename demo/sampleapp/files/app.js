import { call, login, onBody, session, user, watch } from './bff.js';
import { inspect, report } from './leaks.js';
import { addCall, addRenewal, draw } from './timeline.js';

const $ = (id) => document.getElementById(id);
const counts = { calls: 0, failures: 0, renewals: 0 };
const full = { token: 0, session: 0 }; // the largest value of each clock so far, in seconds
let state; // the last answer of /bff/session
let logoutURL;
let loop;
let socket;
let feed;
let stopWatching = () => {};

onBody(inspect);

function show() {
  for (const [name, value] of Object.entries(counts)) $(name).textContent = value;
  $('no-tokens').replaceChildren(...report().map(({ text, note, bad }) => {
    const li = document.createElement('li');
    li.className = bad ? 'found' : '';
    const code = document.createElement('code');
    code.textContent = text;
    const span = document.createElement('span');
    span.append(code, ` ${note}`);
    li.append(span);
    return li;
  }));
}

function clock(name, until) {
  const left = Math.max(0, Math.round((Date.parse(until) - Date.now()) / 1000));
  full[name] = Math.max(full[name], left);
  $(`${name}-left`).textContent = left >= 120 ? `${Math.floor(left / 60)} min ${left % 60} s` : `${left} s`;
  $(`${name}-left`).style.fontSize = left >= 120 ? '1.05rem' : '';
  $(`${name}-ring`).style.strokeDashoffset = full[name] ? 100 - (left / full[name]) * 100 : 100;
}

const earlier = (a, b) => (!b || Date.parse(a) < Date.parse(b) ? a : b);

function tick() {
  if (!state?.authenticated) return;
  clock('token', state.access_token_expires_at);
  clock('session', earlier(state.expires_at, state.idle_expires_at));
  draw($('timeline'));
}

function onSession(next) {
  const before = state?.access_token_expires_at;
  state = next;
  if (!next.authenticated) { ended('expired'); return; }
  if (before && Date.parse(next.access_token_expires_at) > Date.parse(before)) {
    counts.renewals += 1;
    addRenewal();
  }
  tick();
  show();
}

const reasons = {
  logout: 'You were logged out in another tab or on another device.',
  expired: 'Your session has expired.',
  revoked: 'Your session was ended by an administrator.',
  refused: 'The provider no longer renews your session.',
  replaced: 'Somebody has logged in again in this browser.',
  surplus: 'You have logged in in too many places, so this session was ended.',
  provider_logout: 'You logged out at the provider, so your session here has ended, too.',
};

function ended(reason) {
  if (!state) return;
  state = undefined;
  stopWatching();
  clearInterval(loop);
  loop = undefined;
  socket?.close();
  feed?.close();
  $('app').hidden = true;
  $('who').hidden = true;
  $('welcome').hidden = false;
  $('ended-banner').hidden = false;
  $('ended-banner').textContent = reasons[reason] ?? 'Your session has ended.';
  document.title = 'Session ended · cloakroom';
}

async function callAPI() {
  counts.calls += 1;
  const answer = await call('/api/whoami').catch((err) => ({ ok: false, status: 0, body: String(err) }));
  addCall(answer.ok);
  if (!answer.ok) counts.failures += 1;
  $('api-result').textContent = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body, null, 2);
  show();
  if (answer.status === 401 && state) ended('expired');
}

function toggleLoop() {
  if (loop) { clearInterval(loop); loop = undefined; } else { callAPI(); loop = setInterval(callAPI, 1000); }
  $('call-loop').setAttribute('aria-pressed', String(Boolean(loop)));
}

function startFeed() {
  feed?.close();
  feed = new EventSource('/api/stream');
  feed.addEventListener('tick', (e) => { inspect(e.data); $('sse-feed').textContent = e.data; });
  feed.onerror = () => { $('sse-feed').textContent = 'closed'; feed.close(); };
}

function startEcho() {
  socket?.close();
  socket = new WebSocket(`${location.origin.replace('http', 'ws')}/api/echo`);
  let n = 0;
  const say = () => socket.readyState === WebSocket.OPEN && socket.send(`hello ${n += 1}`);
  socket.onopen = say;
  socket.onmessage = (e) => { inspect(String(e.data)); $('ws-echo').textContent = e.data; setTimeout(say, 1000); };
  socket.onclose = () => { $('ws-echo').textContent = 'closed'; };
}

function row(type, value) {
  const tr = document.createElement('tr');
  for (const text of [type, typeof value === 'object' ? JSON.stringify(value) : String(value)]) {
    const td = document.createElement('td');
    td.textContent = text;
    tr.append(td);
  }
  return tr;
}

async function start() {
  const claims = await user();
  if (!claims) { $('welcome').hidden = false; return; }
  const claim = (type) => claims.find((c) => c.type === type)?.value;
  const name = claim('name') ?? claim('preferred_username') ?? claim('sub');
  logoutURL = claim('bff:logout_url');
  $('user-name').textContent = name;
  $('initials').textContent = name.split(/\s+/).map((w) => w[0]).join('').slice(0, 2).toUpperCase();
  $('claims').replaceChildren(...claims.map((c) => row(c.type, c.value)));
  $('who').hidden = false;
  $('app').hidden = false;
  onSession(await session());
  stopWatching = watch(onSession, ended);
  setInterval(tick, 250);
}

$('login').addEventListener('click', login);
$('logout').addEventListener('click', () => { state = undefined; stopWatching(); location.href = `${logoutURL}&returnUrl=/`; });
$('call-api').addEventListener('click', callAPI);
$('call-loop').addEventListener('click', toggleLoop);
$('burst').addEventListener('click', () => { for (let i = 0; i < 20; i += 1) callAPI(); });
$('sse-feed-start').addEventListener('click', startFeed);
$('ws-echo-start').addEventListener('click', startEcho);
start();
