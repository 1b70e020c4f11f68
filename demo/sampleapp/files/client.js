// src/feed.ts
var firstPause = 1e3;
var longestPause = 3e4;
var longestSilence = 2e3;
var longestDoubt = 1e3;
var haste = 1e3;
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
  // fires when the leader counts as suspended
  #leads = false;
  #broke = 0;
  // the time at which the stream last broke
  #notice;
  // the last `expiring`; end is by this machine's clock
  /** `ask` looks up the state, and throws if the service does not answer. */
  constructor(url, withCredentials, ask, tell) {
    this.#url = url;
    this.#withCredentials = withCredentials;
    this.#ask = ask;
    this.#tell = tell;
    this.#name = `cloakroom ${url}`;
    this.#start();
  }
  #start() {
    const isVisible = () => globalThis.document?.visibilityState === "visible";
    const seen = () => {
      if (isVisible()) this.wake();
    };
    for (const [target, event] of [[globalThis.document, "visibilitychange"], [globalThis.window, "pageshow"], [globalThis.window, "online"]]) {
      target?.addEventListener(event, seen, { signal: this.#stop.signal });
    }
    this.#channel = openChannel(this.#name);
    if (!this.#channel) {
      void this.#lead();
      return;
    }
    this.#channel.onmessage = ({ data }) => this.#heard(data);
    if (isVisible()) this.wake();
    else this.#post({ type: "hello" });
    this.#queue();
  }
  /** Waits for the lock as long as this tab exists. Another tab may steal it. */
  #queue() {
    navigator.locks.request(this.#name, { signal: this.#stop.signal }, () => this.#lead()).catch((error) => {
      if (this.#stop.signal.aborted) return;
      if (error.name === "AbortError") {
        this.#demote();
        this.#queue();
        return;
      }
      this.#channel?.close();
      this.#channel = void 0;
      void this.#lead();
    });
  }
  #demote() {
    this.#leads = false;
    this.#disconnect();
  }
  /** Makes sure that some tab listens. Called when this tab becomes visible, and when a login may have happened. */
  wake() {
    if (this.#stop.signal.aborted) return;
    if (this.#leads) {
      if (!this.#source) this.#connect();
      return;
    }
    this.#post({ type: "hello" });
    this.#silence ??= setTimeout(() => {
      navigator.locks.request(this.#name, { steal: true }, () => this.#lead()).catch(() => this.#demote());
    }, longestSilence);
  }
  /** Handles a message of another tab: an event from the leader, a greeting, or the state after a refused call. */
  #heard(message) {
    if (message.type === "hello") {
      if (this.#leads) this.#greet();
      return;
    }
    clearTimeout(this.#silence);
    this.#silence = void 0;
    const state = message.type === "state" && message.state;
    if (!this.#leads) {
      if (state) this.#told(state);
      else this.#take(message);
    } else if (state && state.status !== "active" && state.status !== "unknown" && this.#state.status === "active") void this.#doubt(state);
  }
  /** Answers a greeting. If nobody is logged in here, it connects first: the other tab may just have logged in. */
  #greet() {
    if (this.#state.status === "active") {
      this.#post({ type: "state", state: this.#state });
      const { session } = this.#state;
      const { expires_at = "", end = 0 } = this.#notice ?? {};
      if (expires_at === session.expires_at || expires_at === session.idle_expires_at) {
        this.#post({ type: "expiring", expiring: { expires_at, in_seconds: Math.round((end - Date.now()) / 1e3) } });
      }
    } else this.#post({ type: "state", state: { status: "unknown" } });
    if (!this.#source) this.#connect();
  }
  /**
   * Takes the leader's state. A tab that did not know the session becomes `anonymous`, not `ended`. A tab that knows
   * the reason of the end keeps it.
   */
  #told(state) {
    const own = this.#state.status;
    if (state.status === "unknown" || own === "ended" && state.status !== "active") return;
    this.#take({ type: "state", state: state.status === "ended" && own !== "active" ? { status: "anonymous" } : since(this.#state, state) });
  }
  /** Verifies an end: it may be that of a ticket which a login has replaced. */
  async #doubt(state) {
    const before = this.#state = { ...this.#state };
    const source = this.#source;
    const late = new Promise((done) => {
      setTimeout(() => done(state), longestDoubt);
    });
    const now = await Promise.race([this.#ask().catch(() => state), late]);
    if (this.#stop.signal.aborted || this.#source !== source) return;
    if (now.status !== "active") {
      this.missed(state);
      return;
    }
    if (this.#state === before) this.#take({ type: "state", state: now });
    if (this.#leads && !this.#source) this.#connect();
  }
  #lead() {
    clearTimeout(this.#silence);
    this.#silence = void 0;
    this.#leads = true;
    this.#connect();
    return this.#closed;
  }
  /** Handles an event in this tab; the leader also forwards it. */
  #take(message) {
    if (message.type === "state") this.#state = message.state;
    if (message.type === "expiring") {
      const { expires_at, in_seconds } = message.expiring;
      if (expires_at === this.#notice?.expires_at) return;
      this.#notice = { expires_at, end: Date.now() + 1e3 * in_seconds };
    }
    this.#tell(message);
    if (this.#leads) this.#post(message);
  }
  #post(message) {
    if (!this.#stop.signal.aborted) this.#channel?.postMessage(message);
  }
  #connect() {
    if (this.#stop.signal.aborted) return;
    this.#disconnect();
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
      const state = { status: "ended", reason };
      if (reason === "logout" || reason === "replaced") void this.#doubt(state);
      else this.missed(state);
    });
    source.onerror = () => {
      if (source !== this.#source) return;
      const hasty = Date.now() - this.#broke < haste;
      this.#broke = Date.now();
      if (source.readyState !== EventSource.CLOSED && !hasty) return;
      this.#disconnect();
      void this.#lookUp();
    };
  }
  #disconnect() {
    clearTimeout(this.#retry);
    this.#source?.close();
    this.#source = void 0;
  }
  /** Looks the session up after the stream was refused: an EventSource does not tell why. */
  async #lookUp() {
    const before = this.#state;
    const state = await this.#ask().catch(() => void 0);
    if (this.#stop.signal.aborted || !this.#leads || this.#source) return;
    const news = this.#state === before ? state : void 0;
    if (news && news.status !== "active") {
      this.missed(news);
      return;
    }
    this.#retry = setTimeout(() => this.#connect(), this.#pause * (0.5 + Math.random()));
    this.#pause = Math.min(2 * this.#pause, longestPause);
    if (news) this.#take({ type: "state", state: news });
  }
  /** Handles that there is no session, when that was noticed without an event. */
  missed(state) {
    if (this.#state.status === "ended") {
      if (this.#leads) this.#post({ type: "state", state: this.#state });
      return;
    }
    if (this.#state.status === "active") this.#disconnect();
    this.#take({ type: "state", state: since(this.#state, state) });
    if (!this.#leads) this.#post({ type: "state", state: this.#state });
  }
  close() {
    this.#stop.abort();
    clearTimeout(this.#silence);
    this.#disconnect();
    this.#channel?.close();
  }
};
function openChannel(name) {
  try {
    return globalThis.navigator?.locks ? new BroadcastChannel(name) : void 0;
  } catch {
    return void 0;
  }
}
function since(before, state) {
  return before.status === "active" && state.status === "anonymous" ? { status: "ended", reason: "unknown" } : state;
}

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
      if (!this.#listeners.has(listener)) continue;
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
  /** Sets the value. Listeners are not called if it equals the current one. */
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
  // one look-up for all calls that are refused at the same time
  constructor(options = {}) {
    const page = globalThis.location;
    const origin = options.baseUrl ? new URL(options.baseUrl, page?.href).origin : "";
    this.#origin = origin === page?.origin ? "" : origin;
    this.#base = this.#origin + (options.basePath ?? "/bff");
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    if ((options.listen ?? true) && page && typeof EventSource !== "undefined") {
      this.#feed = new Feed(`${this.#base}/events`, this.#origin !== "", () => this.#lookUp(), (message) => this.#heard(message));
    }
  }
  /** The state of this browser's session, the same in all tabs. */
  get session() {
    return this.#session;
  }
  /** Calls `listener` when the session has ended, in whichever tab or browser. The returned function unsubscribes it. */
  onEnded = (listener) => this.#ended.add(listener);
  /** Calls `listener` when the session will expire soon (`session.expiring_notice` before). */
  onExpiring = (listener) => this.#expiring.add(listener);
  /** Calls `listener` with the new access token's expiry after a renewal. */
  onRenewed = (listener) => this.#renewed.add(listener);
  /** Calls `listener` when a call was answered 401 because it needs a login, or a stronger one. */
  onUnauthenticated = (listener) => this.#unauthenticated.add(listener);
  /**
   * `fetch` for the API behind the service. It adds `X-CSRF: 1` and the session cookie to requests for the service's
   * origin, and to no others. It returns every response unchanged; after a 401 of the service, it also calls
   * `onUnauthenticated`.
   */
  fetch = async (input, init) => {
    const request = input instanceof Request ? input : void 0;
    const target = new URL(request?.url ?? input, this.#origin || globalThis.document?.baseURI || globalThis.location?.href);
    const own = this.#origin || globalThis.location?.origin;
    if (target.origin !== own) return this.#fetch(input, init);
    const headers = new Headers(init?.headers ?? request?.headers);
    headers.set("X-CSRF", "1");
    const credentials = request?.credentials === "omit" ? "omit" : this.#origin ? "include" : "same-origin";
    const response = await this.#fetch(request ?? target, { credentials, ...init, headers });
    if (response.status === 401) await this.#refused(response);
    return response;
  };
  /** Sends the browser to log in. The page is left; nothing comes after it. */
  login(options = {}) {
    location.assign(this.loginUrl(options));
  }
  /** Where `login` would send the browser: for a link. */
  loginUrl(options = {}) {
    const query = new URLSearchParams({ returnUrl: this.#back(options.returnUrl ?? this.#here()) });
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
  /** The path of this page for `returnUrl`; `/` if there is no page or the service would not accept its path. */
  #here() {
    const page = globalThis.location;
    if (!page) return "/";
    const path = (page.pathname + page.search + page.hash).replaceAll("\\", "%5C");
    return path.length > longestReturn || path.startsWith("//") ? "/" : path;
  }
  /** A path of this app for the service: an absolute URL if the app is on another origin. */
  #back(returnUrl) {
    return this.#origin && globalThis.location ? new URL(returnUrl, location.href).href : returnUrl;
  }
  /** Logs out here and at the provider. Navigates to the provider's logout, or to `returnUrl` (`/`). */
  async logout(options = {}) {
    const back = this.#back(options.returnUrl ?? "/");
    const query = options.returnUrl || this.#origin ? `?${new URLSearchParams({ returnUrl: back })}` : "";
    const response = await this.#call(`/logout${query}`, { method: "POST" });
    const next = response.status === 200 ? (await response.json()).redirect : void 0;
    this.#gone({ status: "ended", reason: "logout" });
    location.assign(next ?? back);
  }
  /** The user's claims, or null if nobody is logged in. It counts as activity unless `slide` is false. */
  async user(options = {}) {
    try {
      const response = await this.#call(`/user?format=object${options.slide === false ? "&slide=false" : ""}`);
      const claims = await response.json();
      if (this.#session.get().status !== "active") this.#feed?.wake();
      return claims;
    } catch (error) {
      if (error instanceof CloakroomError && error.status === 401) return null;
      throw error;
    }
  }
  /** The session as the service has it now, or null if there is none. It never counts as activity. */
  async getSession() {
    const before = this.#session.get();
    const state = await this.#lookUp();
    if (state.status !== "active") {
      if (this.#session.get() === before) this.#gone(state);
    } else if (!this.#feed) this.#heard({ type: "state", state });
    else if (before.status !== "active") this.#feed.wake();
    return state.status === "active" ? state.session : null;
  }
  /** Renews the access token now. It throws with code `rate_limited` if it was renewed a moment ago. */
  async refresh() {
    return await (await this.#call("/session/refresh", { method: "POST" })).json();
  }
  /** The user's sessions in all browsers. */
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
   * Finds out in a hidden frame whether this browser is logged in at the provider, and logs in if it is. It returns
   * false after ten seconds without an answer. It does not work for an app on another origin.
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
  /** Stops listening. Calls still work. */
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
    if (message.type === "renewed") return this.#renewed.tell(message.access_token_expires_at);
    if (message.type === "expiring") return this.#expiring.tell(message.expiring);
    const before = this.#session.get();
    const { state } = message;
    if (before.status === "active" && state.status === "active" && (before.session.subject !== state.session.subject || before.session.provider !== state.session.provider)) {
      this.#heard({ type: "state", state: { status: "ended", reason: "logout" } });
    }
    this.#session.set(state);
    if (state.status === "ended" && before.status !== "ended") this.#ended.tell(state.reason);
  }
  /** Handles that there is no session. */
  #gone(state) {
    if (this.#feed) this.#feed.missed(state);
    else if (this.#session.get().status !== "ended") this.#heard({ type: "state", state: since(this.#session.get(), state) });
  }
  /**
   * Whether the session still exists although a call was refused: the call may have been sent before a stronger login,
   * or a login in another tab, gave this browser a new cookie. True if the service does not answer.
   */
  async #goesOn() {
    this.#asked ??= this.#lookUp().finally(() => {
      this.#asked = void 0;
    });
    return this.#asked.then((state) => {
      if (!this.#feed && state.status === "active" && this.#session.get().status === "active") this.#heard({ type: "state", state });
      return state.status === "active";
    }, () => true);
  }
  /** Handles a 401 of the service itself. An API's own 401 has no such code, and says nothing about the session. */
  async #refused(response) {
    const { code, login_url: path } = await details(response);
    const loginUrl = this.#origin + (path ?? "");
    if (!loginUrl.startsWith(`${this.#base}/login`)) return;
    if (code === "not_authenticated" || code === "session_expired") {
      if (this.#session.get().status === "active" && await this.#goesOn()) return;
    } else if (code !== "reauthentication_required" && code !== "step_up_required") return;
    this.#unauthenticated.tell({ code, loginUrl });
    if (code === "step_up_required" || code === "reauthentication_required" && await this.#goesOn()) return;
    const reasons = { session_expired: "expired", reauthentication_required: "refused" };
    this.#gone(code === "not_authenticated" ? { status: "anonymous" } : { status: "ended", reason: reasons[code] });
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
