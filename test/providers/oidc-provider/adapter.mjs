// What the provider remembers, in memory, in a form that a test can be told of: oidc-provider's own
// memory adapter keeps its contents to itself.

const grantable = new Set(['AccessToken', 'AuthorizationCode', 'RefreshToken']);

export class Memory {
  #models = new Map(); // Map of id to {payload, expires} by model name

  /** The adapter class that oidc-provider makes one instance of per model. */
  adapter() {
    const memory = this;
    return class {
      constructor(name) {
        this.name = name;
        this.entries = memory.#entries(name);
      }

      async upsert(id, payload, expiresIn) {
        const expires = expiresIn === undefined ? Infinity : Date.now() + expiresIn * 1000;
        this.entries.set(id, { payload, expires });
      }

      async find(id) {
        return alive(this.entries.get(id))?.payload;
      }

      async findByUid(uid) {
        return this.#first((payload) => payload.uid === uid);
      }

      async findByUserCode(userCode) {
        return this.#first((payload) => payload.userCode === userCode);
      }

      async consume(id) {
        const entry = this.entries.get(id);
        if (entry) entry.payload.consumed = Math.floor(Date.now() / 1000);
      }

      async destroy(id) {
        this.entries.delete(id);
      }

      async revokeByGrantId(grantId) {
        if (!grantable.has(this.name)) return;
        for (const [id, { payload }] of this.entries) {
          if (payload.grantId === grantId) this.entries.delete(id);
        }
      }

      #first(matches) {
        for (const entry of this.entries.values()) {
          if (alive(entry) && matches(entry.payload)) return entry.payload;
        }
        return undefined;
      }
    };
  }

  /** How many of a model there are that a client could still use. */
  count(name) {
    return [...this.#entries(name).values()].filter((e) => alive(e) && !e.payload.consumed).length;
  }

  #entries(name) {
    if (!this.#models.has(name)) this.#models.set(name, new Map());
    return this.#models.get(name);
  }
}

function alive(entry) {
  return entry && entry.expires > Date.now() ? entry : undefined;
}
