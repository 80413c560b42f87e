// @ts-check
/** The admin area's lists of requests: the fields of one are opened in place, below its link. */

/** Show below a link what its page says of the request, or take it away again. @param {HTMLAnchorElement} link */
async function unfold(link) {
  if (link.ariaExpanded === "true") {
    link.nextElementSibling?.remove();
    link.ariaExpanded = "false";
    return;
  }
  link.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(link.href, { redirect: "error" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const record = page.querySelector("#record > dl");
    if (!answer.ok || !record) throw new Error(String(answer.status));
    link.after(record);
    link.ariaExpanded = "true";
  } catch {
    location.assign(link.href); // to be asked for a purpose, or to read what is wrong
  } finally {
    link.removeAttribute("aria-busy");
  }
}

function start() {
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[data-record]") : null;
    const isPlain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    if (!(link instanceof HTMLAnchorElement) || !isPlain || link.ariaBusy === "true") return;
    event.preventDefault();
    void unfold(link);
  });
}

start();
