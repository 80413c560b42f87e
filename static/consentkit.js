// @ts-check
/**
 * The banner in the browser: sends answers, has what was agreed to woken, says what was saved. State lives in the choice
 * cookie, which the server alone writes, and in the document, looked up anew as navigation by script replaces it.
 */

/** @typedef {Record<string, boolean>} Categories */
/** @typedef {{decided: boolean, categories: Categories, services: string[], revision?: string | number, news?: string[]}} Choice */

/**
 * Read the choice out of document.cookie; of several that differ, granted is what all of them grant.
 * The signature is the server's to check.
 * @param {string} cookies
 * @param {string[]} names names the choice may have; the first that occurs counts
 * @param {string[]} categories optional categories in use
 * @returns {Choice} revision undefined where there is no choice
 */
export function readChoice(cookies, names, categories) {
  const read = (/** @type {string} */ name) => cookies.split("; ").flatMap((pair) => {
    const [, key, marks, services, revision] = /^([^=]+)=v1\.((?:[psm][01])*)g?((?:\+[a-z\d][\w-]*)*)\.(\d+)\.\d+\.[\w-]+$/.exec(pair) ?? [];
    return key === name ? [{ marks, services: services.split("+").slice(1), revision }] : [];
  });
  const found = names.map(read).find((choices) => choices.length) ?? [];
  const all = (/** @type {string} */ mark) => found.length > 0 && found.every(({ marks }) => marks.includes(mark));
  return {
    decided: all("") && categories.every((category) => all(category[0])),
    categories: Object.fromEntries(categories.map((category) => [category, all(`${category[0]}1`)])),
    services: found[0]?.services.filter((id) => found.every(({ services }) => services.includes(id))) ?? [],
    revision: found[0]?.revision,
  };
}

/**
 * List the categories that are granted, but for those granted elsewhere too.
 * @param {Categories} categories
 * @param {Categories} [elsewhere]
 */
export function granted(categories, elsewhere = {}) {
  return Object.keys(categories).filter((category) => categories[category] && !elsewhere[category]);
}

/** Take over the banner; does nothing in a page without one. */
export function start() {
  const find = (/** @type {string} */ selector) => /** @type {any} */ (document.querySelector(selector));
  if (!find("#consentkit")) return;
  const { lang, dataset: { mount, cookie, revision, categories, waking } } = find("#consentkit");
  const { globalPrivacyControl: signal } = /** @type {any} */ (navigator);
  const headers = { Accept: "application/json" };
  const read = (text = document.cookie) => readChoice(text, cookie.split(" "), categories.match(/\S+/g) ?? []);
  const nothing = () => ({ ...read(""), decided: true });

  const grants = (/** @type {Choice} */ { categories, services }) => [...granted(categories), ...services];
  const text = (/** @type {Choice} */ { decided, categories, services }) => JSON.stringify([decided, categories, services]);

  /** What the cookie alone tells: nothing under an older policy, or of a grant under a privacy signal. */
  const sure = () => {
    const own = read();
    return !own.revision || (own.revision === revision && !(signal && grants(own).length)) ? own : null;
  };

  /** @type {Choice} */
  let choice = sure() ?? read("");
  let isEdited = false;
  let isPlain = false;
  let awake = Promise.resolve();
  let sent = awake;

  async function current() {
    const own = sure();
    if (own) return own;
    const answer = await fetch(`${mount}/choice?lang=${lang}`, { headers }).catch(() => null);
    return answer?.ok ? answer.json() : nothing();
  }

  const isSettings = (/** @type {any} */ element) => element.matches("[data-consentkit-settings]")
    || (element.host === location.host && element.pathname === `${mount}/settings`);

  function show() {
    const [root, banner, back] = ["#consentkit", ".ck-first", ".ck-way"].map(find);
    if (!root) return;
    const { state } = root.dataset;
    const asks = !choice.decided && state !== "answered" && !(signal && state === "shared");
    banner.hidden = !asks;
    root.hidden = !asks && !find(".ck-dialog")?.open;
    document.documentElement.classList.remove("ck-ask");
    document.documentElement.style.setProperty("--ck-room", `${banner.offsetHeight + 32}px`);
    if (!back) return;
    const links = [...document.querySelectorAll("[data-consentkit-settings], a[href]")];
    back.hidden = asks || links.some((link) => !link.closest(".ck") && isSettings(link));
  }

  function settle(/** @type {any} */ next) {
    const before = choice;
    const gained = granted(next.categories, before.categories).length;
    // A service that is allowed with its whole category is no longer allowed by itself.
    const isLost = granted(before.categories, next.categories).length > 0
      || (!gained && before.services.some((id) => !next.services.includes(id)));
    choice = next;
    // The markup of a page from a shared cache can't say what is new to this visitor.
    for (const news of next.news?.length ? document.querySelectorAll(".ck-news[hidden]") : []) {
      news.lastElementChild.append(...next.news.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
      news.hidden = false;
    }
    show();
    const saved = find(".ck-saved");
    if (saved && (next.message || isLost)) {
      saved.classList.add("ck-on");
      saved.querySelector(".ck-status").textContent = next.message ?? "";
      saved.querySelector("a").hidden = isLost;
      saved.querySelector("button").hidden = !isLost;
      // It lies over the page, and the way back stays.
      if (!isLost) setTimeout(() => saved.matches(":hover, :focus-within") || saved.classList.remove("ck-on"), 10_000);
    }
    if (text(before) !== text(next)) {
      document.dispatchEvent(new CustomEvent("consentkit:change", { detail: copy() }));
    }
    if ((isLost || next.reload) && !isEdited) location.reload();
    else awake = awake.then(wakeAllowed, wakeAllowed);
  }

  const copy = () => ({ decided: choice.decided, categories: { ...choice.categories }, services: [...choice.services] });
  const wake = async (/** @type {any} */ template) => (await import(waking)).wake(template);

  async function wakeAllowed() {
    const template = [...document.querySelectorAll("template")].find(({ dataset: { consent, service } }) => (
      consent && (choice.categories[consent] || choice.services.includes(/** @type {any} */ (service)))));
    if (!template) return;
    await wake(template);
    await wakeAllowed(); // looked up anew: it may have held another, and a withdrawal stops the rest
  }

  // In turn: each carries the last one's cookies.
  function send(/** @type {URLSearchParams} */ body) {
    const next = () => answer(body);
    return (sent = sent.then(next, next));
  }

  async function answer(/** @type {URLSearchParams} */ body) {
    const response = await fetch(`${mount}/choice`, { method: "POST", body, headers });
    if (!response.ok) throw new Error(`The choice was answered with ${response.status}`);
    const next = await response.json();
    find(".ck-dialog")?.close();
    // Only a refusal under a privacy signal needs no cookie.
    const isKept = read().revision || (signal && !grants(next).length);
    settle(isKept ? next : { ...nothing(), message: find(".ck-saved template")?.content.textContent });
  }

  async function decide(/** @type {string} */ decision, /** @type {Categories} */ wanted = {}) {
    const isMore = decision === "accept" || granted(wanted, choice.categories).length;
    if (isMore && !navigator.userActivation?.isActive) throw new Error("Consent takes a visitor's own action");
    const body = new URLSearchParams({ decision, via: "api", keep: "on", lang });
    for (const category in wanted) body.set(category, wanted[category] ? "on" : "off");
    await send(body);
  }

  function open() {
    const dialog = find(".ck-dialog");
    if (!dialog || dialog.open) return;
    for (const box of dialog.querySelectorAll("[type=checkbox]")) box.checked = choice.categories[box.name];
    find("#consentkit").hidden = false;
    dialog.showModal();
    import(waking).then(({ describe }) => describe(dialog));
  }

  document.addEventListener("submit", (event) => {
    const { target: form, submitter } = /** @type {any} */ (event);
    if (isPlain || !form.closest(".ck") || new URL(form.action).pathname !== `${mount}/choice`) return;
    event.preventDefault();
    const body = new URLSearchParams(/** @type {any} */ (new FormData(form)));
    if (submitter) body.set(submitter.name, submitter.value);
    send(body).catch(() => {
      isPlain = true;
      form.requestSubmit(submitter);
    });
  });

  document.addEventListener("click", (event) => {
    const target = /** @type {any} */ (event.target).closest("a[href], button, [data-consentkit-settings]");
    if (!target || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const { action } = target.dataset;
    if (find(".ck-dialog:not([open])") && isSettings(target)) {
      event.preventDefault();
      open();
    } else if (action === "close") find(".ck-dialog").close();
    else if (action === "reload") location.reload();
    else if (action === "embed-once") wake(target.closest(".ck-embed").querySelector("template"));
  });

  document.addEventListener("input", (event) => {
    isEdited ||= !(/** @type {Element} */ (event.target).closest(".ck"));
  });

  // "close" does not bubble. The button that opened the dialog may be gone with the banner.
  document.addEventListener("close", () => {
    show();
    if (document.activeElement === document.body) find(".ck-back")?.focus();
  }, true);

  // Another tab may have answered, or this page comes from the back-forward cache.
  const sync = async () => {
    await sent.catch(() => {});
    const next = await current();
    if (text(next) !== text(choice)) settle(next);
  };
  /** @type {any} */ (window).cookieStore?.addEventListener("change", (/** @type {any} */ { changed, deleted }) => {
    if ([...changed, ...deleted].some(({ name }) => cookie.split(" ").includes(name))) sync();
  });
  addEventListener("pageshow", (event) => event.persisted && sync());
  document.addEventListener("visibilitychange", () => document.hidden || sync());
  addEventListener("resize", show);

  for (const button of document.querySelectorAll("[data-action=embed-once]")) /** @type {any} */ (button).hidden = false;
  /** @type {any} */ (window).consentkit = Object.freeze({
    get: copy,
    accept: () => decide("accept"),
    reject: () => decide("reject"),
    set: (/** @type {Categories} */ wanted) => decide("save", wanted),
    open,
  });
  current().then(settle);
}

start();
