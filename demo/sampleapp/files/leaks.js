// Looks for tokens, which this browser must not have.
const tokenLike = /eyJ[\w-]{8,}\.[\w-]{8,}|"(access|refresh|id)_token"/;
let bodies = 0;
let found = 0;

export function inspect(text) {
  bodies += 1;
  if (tokenLike.test(text)) found += 1;
}

/** The number of tokens in the browser's storage; 0 if the browser blocks access to it. */
function storedTokens() {
  try {
    return [...Object.entries(localStorage), ...Object.entries(sessionStorage)].filter(([, v]) => tokenLike.test(v)).length;
  } catch {
    return 0;
  }
}

/** What was searched, and whether a token was found. */
export function report() {
  const stored = storedTokens();
  return [
    { text: 'document.cookie', note: document.cookie === '' ? 'is empty: the ticket is HttpOnly' : 'can be read', bad: document.cookie !== '' },
    { text: 'localStorage, sessionStorage', note: stored ? `${stored} tokens` : 'no tokens', bad: stored > 0 },
    { text: `${bodies} answers`, note: found ? `${found} with a token` : 'none with a token', bad: found > 0 },
  ];
}
