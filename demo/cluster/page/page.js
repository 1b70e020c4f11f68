// The page of the cluster demo: it draws the status that the demo sends twice a second, and has buttons
// for its actions.

const $ = (id) => document.getElementById(id)
const seconds = 90 // the time that the chart shows
const samples = [] // {at, ok, unavailable, failed, renewals}: counts since the previous sample
let last

const source = new EventSource('status')
source.onmessage = (event) => { $('lost').hidden = true; draw(JSON.parse(event.data)) }
source.onerror = () => { $('lost').hidden = false }

function draw(p) {
  const t = p.tally
  sample(p)
  $('app').href = p.app
  $('age').textContent = `· running for ${age(Date.parse(p.now) - Date.parse(p.since))}`
  text('users', number(t.LoggedIn))
  text('of', `of ${number(t.Users)} users logged in`)
  text('renewals', number(p.renewals))
  const recent = samples.filter((s) => s.at > Date.parse(p.now) - 10_000)
  const calls = sum(recent, (s) => s.ok + s.unavailable + s.failed)
  text('rate', number(Math.round(calls / 10)))
  text('share', calls ? `${(100 * sum(recent, (s) => s.ok) / calls).toFixed(calls === sum(recent, (s) => s.ok) ? 0 : 1)} %` : '–')
  zero('reuses', p.reuses)
  zero('wrong', t.WronglyOut)
  zero('ghosts', t.AnsweredAfterLogout)
  text('logins', number(t.Logins)); text('logouts', number(t.Logouts)); text('revoked', number(p.revoked))
  chart(Date.parse(p.now), p.history)
  replicas(p.replicas)
  node($('redis'), p.redis, p.redis, [
    p.redis === 'dead' ? ['redis-start', 'Start', true] : ['redis-kill', 'kill -9'],
    p.redis === 'frozen' ? ['redis-wake', 'Resume', true] : ['redis-freeze', 'Freeze', false, p.redis === 'dead'],
  ], 0)
  node($('provider'), p.provider === 'well' ? '' : 'faulty', p.provider, [
    ['provider-well', 'Works', true, p.provider === 'well'], ['provider-503', '503', false, p.provider === 'failing'],
    ['provider-hang', 'Hang', false, p.provider === 'hanging'], ['provider-late', 'Late', false, p.provider === 'late'],
  ], 0)
  history(p.history)
}

function sample(p) {
  const t = p.tally
  if (last) {
    samples.push({
      at: Date.parse(p.now), ok: t.OK - last.OK, unavailable: t.Unavailable - last.Unavailable,
      failed: t.Failed + t.Lost - last.Failed - last.Lost, renewals: p.renewals - last.renewals,
    })
    while (samples.length && samples[0].at < Date.parse(p.now) - seconds * 1000) samples.shift()
  }
  last = { ...t, renewals: p.renewals }
}

// chart draws a stacked bar for each second, and the renewals as a line.
function chart(now, done) {
  const bars = new Map()
  for (const s of samples) {
    const second = Math.floor(s.at / 1000)
    const b = bars.get(second) ?? { ok: 0, unavailable: 0, failed: 0, renewals: 0 }
    for (const key of Object.keys(b)) b[key] += s[key]
    bars.set(second, b)
  }
  const highest = Math.max(10, ...[...bars.values()].map((b) => b.ok + b.unavailable + b.failed))
  const x = (second) => 600 * (1 - (now / 1000 - second) / seconds)
  const width = 600 / seconds * 0.85
  let svg = ''
  for (const [second, b] of bars) {
    let top = 160
    for (const kind of ['ok', 'unavailable', 'failed']) {
      const height = 150 * b[kind] / highest
      top -= height
      svg += `<rect class="${kind}" x="${x(second).toFixed(1)}" y="${top.toFixed(1)}" width="${width.toFixed(1)}" height="${height.toFixed(1)}"/>`
    }
  }
  const line = [...bars].sort(([a], [b]) => a - b).slice(0, -1).map(([second, b]) => `${x(second + 0.4).toFixed(1)},${(160 - 150 * b.renewals / highest).toFixed(1)}`)
  for (const d of done ?? []) {
    const at = x(Date.parse(d.at) / 1000)
    if (at > 0) svg += `<line class="act" x1="${at.toFixed(1)}" x2="${at.toFixed(1)}" y1="0" y2="160"/>`
  }
  $('chart').innerHTML = svg + `<polyline points="${line.join(' ')}"/>`
}

function replicas(all) {
  const box = $('replicas')
  all.forEach((r, i) => {
    let div = box.children[i]
    if (!div) {
      div = document.createElement('div')
      div.className = 'node'
      div.innerHTML = `<h3>Replica ${i + 1} <em></em></h3><div class="buttons"></div>`
      box.append(div)
    }
    const dead = r.state === 'dead'
    node(div, r.state === 'running' && r.cut ? 'cut' : r.state, r.state + (r.cut ? ', cut off from Redis' : ''), [
      dead ? ['start', 'Start', true] : ['kill', 'kill -9'],
      r.state === 'frozen' ? ['wake', 'Resume', true] : ['freeze', 'Freeze', false, dead],
      r.cut ? ['mend', 'Restore the link', true] : ['cut', 'Cut the link', false, dead],
    ], i + 1)
  })
}

// node shows a state and its buttons: [action, label, whether it repairs, whether it is disabled].
function node(div, kind, state, buttons, replica) {
  div.classList.remove('running', 'frozen', 'dead', 'cut', 'faulty')
  if (kind) div.classList.add(kind)
  set(div.querySelector('em'), state)
  const box = div.querySelector('.buttons')
  const wanted = JSON.stringify(buttons)
  if (box.dataset.wanted === wanted) return
  box.dataset.wanted = wanted
  box.replaceChildren(...buttons.map(([action, label, repairs, disabled]) => {
    const b = document.createElement('button')
    b.textContent = label
    b.disabled = Boolean(disabled)
    if (repairs && !disabled) b.className = 'repairs'
    b.onclick = async () => { b.disabled = true; await fetch(`do/${action}/${replica}`, { method: 'POST', headers: { 'X-CSRF': '1' } }) }
    return b
  }))
}

function history(done) {
  if (!done?.length) return
  $('history').replaceChildren(...done.map((d) => {
    const li = document.createElement('li')
    const time = document.createElement('time')
    time.textContent = new Date(d.at).toLocaleTimeString()
    li.append(time, d.text)
    return li
  }))
}

function zero(id, n) { text(id, number(n)); $(id).closest('.tile').classList.toggle('broken', n > 0) }
function text(id, s) { set($(id), s) }
function set(element, s) { if (element.textContent !== s) element.textContent = s }
function number(n) { return n.toLocaleString('en') }
function sum(list, of) { return list.reduce((n, x) => n + of(x), 0) }
function age(ms) { const s = Math.floor(ms / 1000); return s < 60 ? `${s} s` : `${Math.floor(s / 60)} min ${s % 60} s` }
