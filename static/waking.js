// @ts-check
/**
 * Puts into the page what waited for consent, and into the settings what they describe. Loaded when either is wanted,
 * so not on a first visit.
 */

/**
 * Put a template's content in its place. Scripts run one after the other, as the parser would have run them, each
 * with the nonce it was written with.
 * @param {HTMLTemplateElement} template a placeholder around it goes with it
 */
export async function wake(template) {
  const content = document.importNode(template.content, true);
  const scripts = [...content.querySelectorAll("script")].map((inert) => {
    const place = document.createComment("");
    inert.replaceWith(place);
    return { inert, place };
  });
  const first = /** @type {HTMLElement | null} */ (content.firstElementChild);
  const placeholder = template.closest(".ck-embed") ?? template;
  const hadFocus = placeholder.contains(document.activeElement);
  placeholder.replaceWith(content);
  if (hadFocus && first) focus(first);
  for (const { inert, place } of scripts) {
    const script = document.createElement("script");
    for (const { name, value } of inert.attributes) script.setAttribute(name, value);
    script.nonce = inert.nonce;
    script.async = inert.hasAttribute("async");
    script.text = inert.text;
    // Data blocks and "nomodule" scripts never load; waiting for one would stop the rest.
    const waits = script.src && !script.async && !script.noModule && /^$|javascript|^module$/.test(script.type);
    const loaded = waits && new Promise((done) => { script.onload = script.onerror = done; });
    place.replaceWith(script);
    await loaded;
  }
}

/**
 * Fill in the cookies of each category from the settings page. A first visit need not carry them; their summaries
 * stand there already, so that no answer moves under the visitor's hand.
 * @param {HTMLDialogElement} dialog left as it is where the page can't be had: the link to the cookie policy stays
 */
export async function describe(dialog) {
  const { lang, dataset: { mount } } = /** @type {HTMLElement} */ (dialog.closest("#consentkit"));
  if (dialog.dataset.described) return;
  dialog.dataset.described = lang;
  try {
    const page = new DOMParser().parseFromString(await read(`${mount}/settings?lang=${lang}`), "text/html");
    const styles = [...page.querySelectorAll("link[rel=stylesheet]")].map((link) => link.getAttribute("href"));
    const sheet = new CSSStyleSheet(); // a policy may forbid style elements, never these
    sheet.replaceSync(await read(styles.at(-1) ?? ""));
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    for (const details of dialog.querySelectorAll("[data-category] > details")) {
      const { category } = /** @type {HTMLElement} */ (details.parentElement).dataset;
      details.append(...page.querySelectorAll(`[data-category="${category}"] > details > table`));
    }
  } catch {
    delete dialog.dataset.described; // asked for again when it is opened again
  }
}

/** @param {string} address */
async function read(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`The settings were answered with status ${response.status}`);
  return response.text();
}

/**
 * Go on where the button stood that is gone now.
 * @param {HTMLElement} element
 */
function focus(element) {
  if (element.tabIndex < 0) element.tabIndex = -1;
  element.focus({ preventScroll: true });
}
