// @ts-check
/**
 * Refuses what scripts write in the visitor's browser under a name that is declared and not granted: cookies by
 * document.cookie and cookieStore, keys of localStorage and sessionStorage. In silence, so that no script breaks;
 * reading and deleting pass. It helps honest scripts: one that wants to get round it can, and what a server sets is
 * the gate's.
 */
{
  /** @typedef {[name: string, category: string, service: string, refusal: string]} Row */
  /** @type {{cookies: Row[], keys: Row[]}} */
  const declared = JSON.parse(/** @type {HTMLScriptElement} */ (document.currentScript).dataset.names ?? "{}");
  const MAX_NAME = 256; // longer names are nobody's, as on the server

  /** Each star's match is found once and never tried again, so that the work is bounded by name times glob. */
  const expression = (/** @type {string} */ glob) => {
    const [first, ...rest] = glob.split(/\*+/).map((part) => part.replace(/[^\w-]/g, (sign) => (sign === "?" ? "[^]" : `\\u{${/** @type {number} */ (sign.codePointAt(0)).toString(16)}}`)));
    const last = rest.pop();
    const middle = rest.map((part, index) => `(?=([^]*?${part}))\\${index + 1}`).join("");
    return new RegExp(`^${first}${middle}${last === undefined ? "" : `[^]*${last}`}$`, "u");
  };

  /** A whole name counts before any glob, then the first glob that matches. */
  const finder = (/** @type {Row[]} */ rows = []) => {
    const exact = new Map(rows.filter(([name]) => !/[*?]/.test(name)).reverse().map((row) => [row[0], row]));
    const globs = rows.filter(([name]) => /[*?]/.test(name)).map((row) => ({ row, matches: expression(row[0]) }));
    return (/** @type {string} */ name) => (name.length > MAX_NAME
      ? undefined
      : exact.get(name) ?? globs.find(({ matches }) => matches.test(name))?.row);
  };

  const isGranted = (/** @type {Row} */ [, category, service]) => {
    if (category === "necessary") return true;
    const { categories, services } = /** @type {any} */ (window).consentkit.get();
    return categories[category] || (service !== "" && services.includes(service));
  };
  const [cookie, key] = [finder(declared.cookies), finder(declared.keys)];
  const isRefusedKey = (/** @type {unknown} */ name) => {
    const row = typeof name === "string" ? key(name) : undefined;
    return row !== undefined && !isGranted(row);
  };

  // RFC 6265bis §5.6: Max-Age counts before Expires, and the last of each.
  const isDeletion = (/** @type {string[][]} */ attributes) => {
    const value = (/** @type {string} */ name) => attributes.findLast(([each]) => each === name)?.[1] ?? "";
    const seconds = attributes.findLast(([name, text]) => name === "max-age" && /^-?\d+$/.test(text))?.[1];
    return seconds === undefined ? Date.parse(value("expires")) <= Date.now() : Number(seconds) <= 0;
  };

  /** Return the text that may be written, or nothing. */
  const allowedCookie = (/** @type {string} */ text) => {
    const [pair, ...parts] = text.split(";");
    const row = pair.includes("=") ? cookie(pair.slice(0, pair.indexOf("=")).trim()) : undefined;
    if (!row || isGranted(row)) return text;
    const attributes = parts.map((part) => [part.split("=")[0].trim().toLowerCase(), part.slice(part.indexOf("=") + 1).trim()]);
    if (isDeletion(attributes)) return text;
    if (row[3] !== "session") return undefined;
    return [pair, ...parts.filter((_, index) => !/^(max-age|expires)$/.test(attributes[index][0]))].join(";");
  };

  const { get, set, ...rest } = /** @type {any} */ (Object.getOwnPropertyDescriptor(Document.prototype, "cookie"));
  Object.defineProperty(Document.prototype, "cookie", {
    ...rest,
    get,
    set(text) {
      const allowed = allowedCookie(String(text));
      if (allowed !== undefined) set.call(this, allowed);
    },
  });

  const { CookieStore, StorageEvent } = /** @type {any} */ (window);
  if (CookieStore) {
    const write = CookieStore.prototype.set;
    CookieStore.prototype.set = function (/** @type {any[]} */ ...given) {
      const [options] = given;
      const isObject = typeof options === "object" && options !== null;
      const row = cookie(String(isObject ? options.name : options));
      const isPast = isObject && options.expires != null && options.expires <= Date.now();
      if (!row || isPast || isGranted(row)) return write.apply(this, given);
      if (row[3] !== "session") return Promise.resolve();
      return isObject ? write.call(this, { ...options, expires: null }) : write.apply(this, given);
    };
  }

  // A key can be written as a property too, which only a proxy sees. The methods take the proxy for the storage.
  /** @type {WeakMap<object, Storage>} */
  const behind = new WeakMap();
  /** @type {WeakMap<Storage, Storage>} */
  const before = new WeakMap();
  const wrap = (/** @type {Storage} */ storage) => {
    const known = before.get(storage);
    if (known) return known;
    const isOwn = (/** @type {string | symbol} */ name) => name in Storage.prototype;
    const proxy = new Proxy(storage, {
      get: (target, name) => Reflect.get(target, name, target),
      set: (target, name, value) => (!isOwn(name) && isRefusedKey(name)) || Reflect.set(target, name, value, target),
      defineProperty: (target, name, descriptor) => isRefusedKey(name) || Reflect.defineProperty(target, name, descriptor),
    });
    behind.set(proxy, storage);
    before.set(storage, proxy);
    return proxy;
  };
  for (const name of /** @type {const} */ (["getItem", "setItem", "removeItem", "key", "clear"])) {
    const method = /** @type {Function} */ (Storage.prototype[name]);
    /** @type {any} */ (Storage.prototype)[name] = function (/** @type {any[]} */ ...given) {
      if (name === "setItem" && given.length > 1 && isRefusedKey(String(given[0]))) return undefined;
      return method.apply(behind.get(this) ?? this, given);
    };
  }
  const rewrap = (/** @type {object} */ owner, /** @type {string} */ name) => {
    const property = /** @type {any} */ (Object.getOwnPropertyDescriptor(owner, name));
    if (!property?.get) return;
    Object.defineProperty(owner, name, {
      ...property,
      get() {
        const storage = property.get.call(this);
        return storage && wrap(storage);
      },
    });
  };
  rewrap(window, "localStorage");
  rewrap(window, "sessionStorage");
  rewrap(StorageEvent.prototype, "storageArea");
}
