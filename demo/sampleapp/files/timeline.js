// A chart of the last minute: calls as dots, renewals as lines.
const NS = 'http://www.w3.org/2000/svg';
const span = 60_000;
const events = [];

export const addCall = (ok) => events.push({ kind: 'call', ok, at: Date.now(), row: Math.random() });
export const addRenewal = () => events.push({ kind: 'renewal', at: Date.now() });

function shape(name, attributes) {
  const el = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) el.setAttribute(key, value);
  return el;
}

export function draw(svg) {
  const now = Date.now();
  while (events.length && now - events[0].at > span) events.shift();
  const x = (at) => 1000 - ((now - at) / span) * 1000;
  const width = svg.clientWidth || 1000;
  const squeeze = 1000 / width; // keeps dots round in a stretched drawing
  const marks = [0.25, 0.5, 0.75].map((p) => shape('line', { class: 'grid-line', x1: p * 1000, x2: p * 1000, y1: 0, y2: 150 }));
  for (const e of events) {
    marks.push(e.kind === 'renewal'
      ? shape('line', { class: 'renewal', x1: x(e.at), x2: x(e.at), y1: 0, y2: 150 })
      : shape('ellipse', { class: e.ok ? 'call' : 'call bad', cx: x(e.at), cy: 25 + e.row * 100, rx: 5 * squeeze, ry: 5 }));
  }
  svg.replaceChildren(...marks);
}
