// Looks for tokens in everything that a browser gets to see.
//
// The development provider makes its tokens recognisable: access and ID tokens are JWTs, refresh
// tokens begin with devprovider-refresh- (its Go tests hold both), so a token can be told wherever it
// turns up, in whatever encoding leaves those letters alone. Token responses are told by their keys.

const shapes = {
  // Three parts; the provider's authorization code is an encrypted one, with five, and is meant to be there.
  'a JWT': /eyJ[\w-]{6,}\.[\w-]{6,}\.[\w-]*(?![\w.-])/,
  'a refresh token': /devprovider-refresh-\w/,
  'a token response': /["'](?:access_token|refresh_token|id_token)["']\s*:\s*["']/,
};

/** What of a text looks like a token; undefined when nothing does. */
export function tokenIn(text) {
  return Object.keys(shapes).find((what) => shapes[what].test(text));
}

/**
 * The one place where OpenID Connect itself puts a token into a browser's hands: the address of the
 * provider's end-session endpoint, with the ID token as a hint (RP-Initiated Logout §2).
 */
const withoutLogoutHint = (text) => text.replace(/(\/end_session\?(?:[^\s"'<>]*?(?:&amp;|&))?id_token_hint=)[\w.-]+/g, '$1…');

/** Watches every page of a context: bodies, headers, streams, sockets, and what scripts can read. */
export function watch(context) {
  const found = [];
  const seen = { bodies: 0, headers: 0, streamed: 0, scripts: 0 };
  const pending = [];
  const look = (text, where) => {
    const what = tokenIn(text);
    if (what) found.push(`${what} in ${where}`);
  };

  context.on('response', (response) => {
    const url = response.url().split('?')[0];
    pending.push(response.allHeaders().then((headers) => {
      seen.headers += 1;
      look(withoutLogoutHint(JSON.stringify(headers)), `headers of ${url}`);
    }, () => {}));
    pending.push(bodyOf(response).then((body) => {
      if (body === undefined) return;
      seen.bodies += 1;
      look(body, `body of ${response.request().method()} ${url}`);
    }));
  });

  context.on('page', (page) => {
    pending.push(streams(context, page, (text, where) => {
      seen.streamed += 1;
      look(text, where);
    }));
  });

  const inPage = async (page) => {
    const readable = await page.evaluate(async () => JSON.stringify({
      cookie: document.cookie,
      local: { ...localStorage },
      session: { ...sessionStorage },
      databases: (await indexedDB.databases()).map((d) => d.name),
      caches: await caches.keys(),
      html: document.documentElement.outerHTML,
      history: history.state,
      url: location.href,
    }));
    seen.scripts += 1;
    look(readable, `what scripts of ${page.url().split('?')[0]} can read`);
    return JSON.parse(readable);
  };

  return {
    seen,
    /** What a script in this page could get hold of. */
    inPage,
    finish: async () => {
      for (const page of context.pages()) {
        if (page.url().startsWith('http')) await inPage(page);
      }
      await Promise.race([Promise.allSettled(pending), new Promise((resolve) => { setTimeout(resolve, 2000); })]);
      return found;
    },
  };
}

/** A finished body as text; undefined for redirects, streams and what is gone already. */
async function bodyOf(response) {
  const type = response.headers()['content-type'] ?? '';
  if (type.startsWith('text/event-stream') || (response.status() >= 300 && response.status() < 400)) return undefined;
  return response.body().then((b) => b.toString('latin1'), () => undefined);
}

/** Streams never finish, so they are read as they come, below Playwright. */
async function streams(context, page, look) {
  const cdp = await context.newCDPSession(page).catch(() => undefined);
  if (!cdp) return;
  const streamed = new Map();
  const text = (base64) => Buffer.from(base64, 'base64').toString('latin1');
  cdp.on('Network.webSocketFrameReceived', ({ response }) => look(response.payloadData, 'a WebSocket message'));
  cdp.on('Network.eventSourceMessageReceived', ({ data }) => look(data, 'a server-sent event'));
  cdp.on('Network.responseReceived', ({ requestId, response }) => {
    if (response.mimeType !== 'text/event-stream') return;
    streamed.set(requestId, response.url.split('?')[0]);
    cdp.send('Network.streamResourceContent', { requestId })
      .then(({ bufferedData }) => bufferedData && look(text(bufferedData), `stream of ${response.url}`), () => {});
  });
  cdp.on('Network.dataReceived', ({ requestId, data }) => {
    if (data && streamed.has(requestId)) look(text(data), `stream of ${streamed.get(requestId)}`);
  });
  await cdp.send('Network.enable').catch(() => {});
}
