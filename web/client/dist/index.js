// src/feed.ts
var firstPause = 1e3;
var longestPause = 3e4;
var longestSilence = 2e3;
var Feed = class {
  #url;
  #withCredentials;
  #ask;
  #tell;
  #stop = new AbortController();
  #closed = new Promise((done) => {
    this.#stop.signal.addEventListener("abort", () => done());
  });
  #name;
  #channel;
  #source;
  #retry;
  #pause = firstPause;
  #state = { status: "unknown" };
  #silence;
  // until the leader is taken to be asleep
  #leads = false;
  /** `ask` looks up the state, and throws while the service can't be asked. */
  constructor(url, withCredentials, ask, tell) {
    this.#url = url;
    this.#withCredentials = withCredentials;
    this.#ask = ask;
    this.#tell = tell;
    this.#name = `cloakroom ${url}`;
    this.#start();
  }
  #start() {
    const seen = () => {
      if (document.visibilityState === "visible") this.wake();
    };
    for (const [target, event] of [[globalThis.document, "visibilitychange"], [globalThis.window, "pageshow"], [globalThis.window, "online"]]) {
      target?.addEventListener(event, seen, { signal: this.#stop.signal });
    }
    if (typeof BroadcastChannel === "undefined" || !globalThis.navigator?.locks) {
      this.#lead();
      return;
    }
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => this.#heard(data);
    this.#channel.postMessage({ type: "hello" });
    this.#queue();
  }
  /** Waits for the lock, for as long as this tab lives. Another tab may take it away. */
  #queue() {
    navigator.locks.request(this.#name, { signal: this.#stop.signal }, () => this.#hold()).catch(() => {
      if (this.#stop.signal.aborted) return;
      this.#demote();
      this.#queue();
    });
  }
  #hold() {
    this.#lead();
    return this.#closed;
  }
  #demote() {
    this.#leads = false;
    clearTimeout(this.#retry);
    this.#disconnect();
  }
  /** Makes sure that somebody listens: called when a person looks at this tab, and when a login may have happened. */
  wake() {
    if (this.#stop.signal.aborted) return;
    if (this.#leads) {
      if (!this.#source) this.#connect();
      return;
    }
    this.#channel?.postMessage({ type: "hello" });
    this.#silence ??= setTimeout(() => {
      navigator.locks.request(this.#name, { steal: true }, () => this.#hold()).catch(() => this.#demote());
    }, longestSilence);
  }
  /** What another tab says: the leader's word, or a new tab that wants to know. */
  #heard(message) {
    if (message.type !== "hello") {
      clearTimeout(this.#silence);
      this.#silence = void 0;
      if (this.#leads) return;
      if (message.type === "state") this.#told(message.state);
      else this.#take(message);
      return;
    }
    if (!this.#leads) return;
    this.#channel?.postMessage({ type: "state", state: this.#state });
    if (!this.#source) this.#connect();
  }
  /** A tab that never knew the session has not seen it end; one that has seen it knows more than that nobody is there. */
  #told(state) {
    const own = this.#state.status;
    if (own === "ended" && state.status !== "active") return;
    this.#take({ type: "state", state: state.status === "ended" && own !== "active" ? { status: "anonymous" } : state });
  }
  #lead() {
    clearTimeout(this.#silence);
    this.#silence = void 0;
    this.#leads = true;
    this.#connect();
  }
  /** Takes a message for this tab; the leader passes it on. */
  #take(message) {
    if (message.type === "state") this.#state = message.state;
    this.#tell(message);
    if (this.#leads && !this.#stop.signal.aborted) this.#channel?.postMessage(message);
  }
  #connect() {
    if (this.#stop.signal.aborted) return;
    clearTimeout(this.#retry);
    this.#source?.close();
    const source = new EventSource(this.#url, { withCredentials: this.#withCredentials });
    this.#source = source;
    const on = (name, take) => source.addEventListener(name, (event) => {
      if (source === this.#source) take(JSON.parse(event.data));
    });
    on("session", (session) => {
      this.#pause = firstPause;
      this.#take({ type: "state", state: { status: "active", session } });
    });
    on("renewed", (renewed) => this.#take({ type: "renewed", ...renewed }));
    on("expiring", (expiring) => this.#take({ type: "expiring", expiring }));
    on("ended", ({ reason }) => {
      this.#disconnect();
      this.#take({ type: "state", state: { status: "ended", reason } });
    });
    source.onerror = () => {
      if (source !== this.#source || source.readyState !== EventSource.CLOSED) return;
      this.#disconnect();
      void this.#lookUp();
    };
  }
  #disconnect() {
    this.#source?.close();
    this.#source = void 0;
  }
  /** The stream was refused, and an EventSource does not tell why: the session is asked for. */
  async #lookUp() {
    try {
      const state = await this.#ask();
      if (this.#stop.signal.aborted || this.#source) return;
      if (state.status !== "active") {
        this.missed(state);
        return;
      }
    } catch {
    }
    if (this.#stop.signal.aborted || this.#source) return;
    this.#retry = setTimeout(() => this.#connect(), this.#pause * (0.5 + Math.random()));
    this.#pause = Math.min(2 * this.#pause, longestPause);
  }
  /** Takes in that there is no session, which somebody noticed without having been told. */
  missed(state) {
    if (this.#state.status === "ended") return;
    const wasActive = this.#state.status === "active";
    this.#take({ type: "state", state: wasActive && state.status === "anonymous" ? { status: "ended", reason: "unknown" } : state });
    if (!this.#leads && !this.#stop.signal.aborted) this.#channel?.postMessage({ type: "state", state: this.#state });
  }
  close() {
    this.#stop.abort();
    clearTimeout(this.#retry);
    clearTimeout(this.#silence);
    this.#disconnect();
    this.#channel?.close();
  }
};

// src/observable.ts
var Listeners = class {
  #listeners = /* @__PURE__ */ new Set();
  add(listener) {
    const own = (value) => listener(value);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }
  tell(value) {
    for (const listener of [...this.#listeners]) {
      try {
        listener(value);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
};
var Value = class {
  constructor(current) {
    this.current = current;
  }
  current;
  #listeners = new Listeners();
  get = () => this.current;
  subscribe = (listener) => this.#listeners.add(listener);
  /** Nothing is told of a value that looks like the last one. */
  set(value) {
    if (JSON.stringify(value) === JSON.stringify(this.current)) return;
    this.current = value;
    this.#listeners.tell(value);
  }
};

// src/problem.ts
var CloakroomError = class extends Error {
  constructor(status, code, detail, requestId, loginUrl, retryAfter) {
    super(detail);
    this.status = status;
    this.code = code;
    this.requestId = requestId;
    this.loginUrl = loginUrl;
    this.retryAfter = retryAfter;
  }
  status;
  code;
  requestId;
  loginUrl;
  retryAfter;
  name = "CloakroomError";
};
async function details(response) {
  if (!response.headers.get("Content-Type")?.startsWith("application/problem+json")) return {};
  try {
    return await response.clone().json();
  } catch {
    return {};
  }
}
async function ok(response) {
  if (response.ok) return response;
  const p = await details(response);
  const wait = Number(response.headers.get("Retry-After"));
  throw new CloakroomError(
    response.status,
    p.code ?? "unknown",
    p.detail ?? p.title ?? `status ${response.status}`,
    p.request_id,
    p.login_url,
    wait > 0 ? wait : void 0
  );
}

// src/index.ts
var silentTimeout = 1e4;
var longestReturn = 1500;
var Client = class {
  #base;
  // origin and base path, or the base path alone
  #origin;
  // of the service; '' for this page's own
  #fetch;
  #feed;
  #session = new Value({ status: "unknown" });
  #ended = new Listeners();
  #expiring = new Listeners();
  #renewed = new Listeners();
  #unauthenticated = new Listeners();
  #asked;
  // for all calls that were refused at the same time
  constructor(options = {}) {
    this.#origin = options.baseUrl?.replace(/\/+$/, "") ?? "";
    this.#base = this.#origin + (options.basePath ?? "/bff");
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    if ((options.listen ?? true) && typeof EventSource !== "undefined") {
      this.#feed = new Feed(`${this.#base}/events`, this.#origin !== "", () => this.#lookUp(), (message) => this.#heard(message));
    }
  }
  /** Where this browser stands, in all tabs at once. */
  get session() {
    return this.#session;
  }
  /** Has `listener` called when the session has ended, wherever that was done; until the function returned is called. */
  onEnded = (listener) => this.#ended.add(listener);
  /** Has `listener` called some time before the session runs out (`session.expiring_notice`). */
  onExpiring = (listener) => this.#expiring.add(listener);
  /** Has `listener` called with the new access token's expiry when it was renewed. */
  onRenewed = (listener) => this.#renewed.add(listener);
  /** Has `listener` called when a call was answered 401 for want of a login, or of a stronger one. */
  onUnauthenticated = (listener) => this.#unauthenticated.add(listener);
  /**
   * `fetch` for the API behind the service: it adds `X-CSRF: 1` and the session cookie to requests for the service's own
   * origin, and to no others. The response comes back as it is, a 401 too, which is told to `onUnauthenticated` besides.
   */
  fetch = async (input, init) => {
    const target = new URL(input instanceof Request ? input.url : input, this.#origin || globalThis.location?.href);
    const own = this.#origin || globalThis.location?.origin;
    if (target.origin !== own) return this.#fetch(input, init);
    const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : void 0));
    headers.set("X-CSRF", "1");
    const response = await this.#fetch(input instanceof Request ? input : target, {
      credentials: this.#origin ? "include" : "same-origin",
      ...init,
      headers
    });
    if (response.status === 401) await this.#refused(response);
    return response;
  };
  /** Sends the browser to log in. The page is left; nothing comes after it. */
  login(options = {}) {
    location.assign(this.loginUrl(options));
  }
  /** Where `login` would send the browser: for a link. */
  loginUrl(options = {}) {
    const query = new URLSearchParams({ returnUrl: options.returnUrl ?? this.#here() });
    const given = {
      provider: options.provider,
      prompt: options.prompt,
      login_hint: options.loginHint,
      acr_values: options.acrValues,
      max_age: options.maxAge,
      ui_locales: options.uiLocales
    };
    for (const [name, value] of Object.entries(given)) if (value !== void 0) query.set(name, String(value));
    return `${this.#base}/login?${query}`;
  }
  /** This page, as a login may return to it; `/` where there is none, or its address is too long. */
  #here() {
    const page = globalThis.location;
    if (!page) return "/";
    const origin = this.#origin ? page.origin : "";
    const whole = origin + page.pathname + page.search + page.hash;
    return whole.length > longestReturn ? `${origin}/` : whole;
  }
  /** Logs out here and at the provider. The page is left for the provider's logout, or for `returnUrl` (`/`). */
  async logout(options = {}) {
    const back = options.returnUrl ?? (this.#origin ? `${location.origin}/` : void 0);
    const query = back ? `?${new URLSearchParams({ returnUrl: back })}` : "";
    const response = await this.#call(`/logout${query}`, { method: "POST" });
    const next = response.status === 200 ? (await response.json()).redirect : void 0;
    location.assign(next ?? back ?? "/");
  }
  /** The claims of whoever is logged in, or null. It counts as activity unless `slide` is false. */
  async user(options = {}) {
    try {
      const response = await this.#call(`/user?format=object${options.slide === false ? "&slide=false" : ""}`);
      return await response.json();
    } catch (error) {
      if (error instanceof CloakroomError && error.status === 401) return null;
      throw error;
    }
  }
  /** What the service knows of the session now, or null. It never counts as activity. */
  async getSession() {
    const state = await this.#lookUp();
    if (!this.#feed) this.#heard({ type: "state", state });
    return state.status === "active" ? state.session : null;
  }
  /** Renews the access token now. It throws with code `rate_limited` if that was done a moment ago. */
  async refresh() {
    return await (await this.#call("/session/refresh", { method: "POST" })).json();
  }
  /** The user's own sessions, in all their browsers. */
  async sessions() {
    return await (await this.#call("/sessions")).json();
  }
  /** Ends one of them. */
  async endSession(id) {
    await this.#call(`/sessions/${encodeURIComponent(id)}`, { method: "DELETE" });
  }
  /** Ends all of them but this one. */
  async endOtherSessions() {
    await this.#call("/sessions/end-others", { method: "POST" });
  }
  /**
   * Asks in a hidden frame whether this browser is logged in at the provider, and logs in if it is. Not for an app on
   * another origin, whose frame the service would not speak to; false after ten seconds without an answer.
   */
  silentLogin(options = {}) {
    const frame = document.createElement("iframe");
    const query = options.provider ? `?${new URLSearchParams({ provider: options.provider })}` : "";
    return new Promise((resolve) => {
      const done = (isLoggedIn) => {
        clearTimeout(limit);
        removeEventListener("message", heard);
        frame.remove();
        if (isLoggedIn) this.#feed?.wake();
        resolve(isLoggedIn);
      };
      const heard = (event) => {
        if (event.origin === location.origin && event.source === frame.contentWindow && event.data?.source === "bff-silent-login") done(event.data.isLoggedIn === true);
      };
      const limit = setTimeout(() => done(false), silentTimeout);
      addEventListener("message", heard);
      frame.hidden = true;
      frame.src = `${this.#base}/silent-login${query}`;
      document.body.append(frame);
    });
  }
  /** Stops listening. The client can still be asked. */
  close() {
    this.#feed?.close();
  }
  async #call(path, init) {
    return ok(await this.fetch(this.#base + path, { cache: "no-store", ...init }));
  }
  async #lookUp() {
    const session = await (await this.#call("/session")).json();
    return session.authenticated ? { status: "active", session } : { status: "anonymous" };
  }
  #heard(message) {
    switch (message.type) {
      case "renewed":
        this.#renewed.tell(message.access_token_expires_at);
        return;
      case "expiring":
        this.#expiring.tell(message.expiring);
        return;
    }
    const before = this.#session.get().status;
    this.#session.set(message.state);
    if (message.state.status === "ended" && before !== "ended") this.#ended.tell(message.state.reason);
  }
  /**
   * Whether the session lives although a call was refused: it may have been sent before a stronger login, or a login in
   * another tab, gave this browser a new cookie. While the service can't be asked, nothing is known.
   */
  async #goesOn() {
    if (this.#session.get().status !== "active") return false;
    this.#asked ??= this.#lookUp().finally(() => {
      this.#asked = void 0;
    });
    return this.#asked.then(({ status }) => status === "active", () => true);
  }
  /** A 401 of the service itself. An API's own 401 has no code of ours, and says nothing of the session. */
  async #refused(response) {
    const { code, login_url: loginUrl } = await details(response);
    if (!loginUrl || code !== "not_authenticated" && code !== "session_expired" && code !== "reauthentication_required" && code !== "step_up_required") return;
    if (code === "not_authenticated" && await this.#goesOn()) return;
    this.#unauthenticated.tell({ code, loginUrl: this.#origin + loginUrl });
    if (code === "step_up_required") return;
    const reasons = { session_expired: "expired", reauthentication_required: "revoked" };
    const state = code === "not_authenticated" ? { status: "anonymous" } : { status: "ended", reason: reasons[code] };
    if (this.#feed) this.#feed.missed(state);
    else this.#heard({ type: "state", state });
  }
};
function createClient(options) {
  return new Client(options);
}
export {
  Client,
  CloakroomError,
  createClient
};
