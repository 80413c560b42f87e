// @ts-check
/** Puts into the page what waited for consent. Loaded when there is something to wake, so not on a first visit. */

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
 * Go on where the button stood that is gone now.
 * @param {HTMLElement} element
 */
function focus(element) {
  if (element.tabIndex < 0) element.tabIndex = -1;
  element.focus({ preventScroll: true });
}
