// @ts-check
/**
 * Says what is known of the choice before anything else runs: a first `window.consentkit` with `get` alone, which
 * consentkit.js replaces. In a page only where the guard or a signal is in use.
 *
 * Where the cookie does not tell for certain (an older policy, a grant under a privacy signal) nothing is granted
 * until consentkit.js has asked the server.
 */
{
  const { cookie = "", revision, categories = "" } = /** @type {HTMLScriptElement} */ (document.currentScript).dataset;
  const names = cookie.split(" ");
  const optional = categories.match(/\S+/g) ?? [];

  // As readChoice in consentkit.js, which this file can't import: it runs before any module does.
  const get = () => {
    const read = (/** @type {string} */ name) => document.cookie.split("; ").flatMap((pair) => {
      const [, key, marks, services, shown] = /^([^=]+)=v1\.((?:[psm][01])*)g?((?:\+[a-z\d][\w-]*)*)\.(\d+)\.\d+\.[\w-]+$/.exec(pair) ?? [];
      return key === name ? [{ marks, services: services.split("+").slice(1), shown }] : [];
    });
    const found = names.map(read).find((choices) => choices.length) ?? [];
    const isCurrent = found.length > 0 && found.every(({ shown }) => shown === revision);
    const all = (/** @type {string} */ mark) => isCurrent && found.every(({ marks }) => marks.includes(mark));
    const services = isCurrent ? found[0].services.filter((each) => found.every((other) => other.services.includes(each))) : [];
    const decided = isCurrent && optional.every((category) => all(category[0]));
    const granted = Object.fromEntries(optional.map((category) => [category, all(`${category[0]}1`)]));
    const isSuspended = /** @type {any} */ (navigator).globalPrivacyControl && (services.length || Object.values(granted).includes(true));
    return isSuspended
      ? { decided: false, categories: Object.fromEntries(optional.map((category) => [category, false])), services: [] }
      : { decided, categories: granted, services };
  };
  /** @type {any} */ (window).consentkit = { get };
}
