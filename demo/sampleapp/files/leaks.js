// Looks for what this browser must not have.
const tokenLike = /eyJ[\w-]{8,}\.[\w-]{8,}|"(access|refresh|id)_token"/;
let bodies = 0;
let found = 0;

export function inspect(text) {
  bodies += 1;
  if (tokenLike.test(text)) found += 1;
}

/** How many tokens the browser's storage holds. One that blocks cookies lets nobody at it. */
function storedTokens() {
  try {
    return [...Object.entries(localStorage), ...Object.entries(sessionStorage)].filter(([, v]) => tokenLike.test(v)).length;
  } catch {
    return 0;
  }
}

/** What was looked at, and whether anything was there. */
export function report() {
  const stored = storedTokens();
  return [
    { text: 'document.cookie', note: document.cookie === '' ? 'is empty: the ticket is HttpOnly' : 'can be read', bad: document.cookie !== '' },
    { text: 'localStorage, sessionStorage', note: stored ? `${stored} tokens` : 'no tokens', bad: stored > 0 },
    { text: `${bodies} answers`, note: found ? `${found} with a token in it` : 'not one with a token in it', bad: found > 0 },
  ];
}
