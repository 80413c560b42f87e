// @ts-check
/** The admin area: times in the reader's zone, live regions, progress of downloads. */

const EVERY_MS = 30_000;
const MAX_HELD_BYTES = 250e6; // more goes to the disk

/** Write an instant as the server does, in the reader's zone. @param {Date} date @param {boolean} seconds */
export function local(date, seconds) {
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  const time = [two(date.getHours()), two(date.getMinutes()), ...(seconds ? [two(date.getSeconds())] : [])].join(":");
  return `${day} ${time}`;
}

/** Turn the times of a part of the page into the reader's zone. @param {ParentNode} root */
export function localize(root) {
  for (const time of root.querySelectorAll("time")) {
    const instant = time.dateTime.includes("T") ? new Date(time.dateTime) : new Date(NaN);
    if (!isNaN(instant.getTime())) time.textContent = local(instant, "seconds" in time.dataset);
  }
}

/** Say once which zone that is. */
function nameZone() {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  for (const note of document.querySelectorAll("[data-zone]")) {
    if (timeZone && note instanceof HTMLElement) note.textContent = (note.dataset.zone ?? "").replace("{zone}", timeZone);
  }
}

/** Replace a live region by what the same page holds of it now. @param {Element} region */
async function refresh(region) {
  if (region.contains(document.activeElement) && document.activeElement !== document.body) return region;
  try {
    // The server knows a script's request by Sec-Fetch-Dest: a page that nobody looks at prolongs no session.
    const answer = await fetch(location.href, { redirect: "error" });
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(region.id);
    if (!fresh) throw new Error("gone");
    const opened = [...region.querySelectorAll("details")].map((each) => each.open);
    fresh.querySelectorAll("details").forEach((each, index) => (each.open = opened[index] ?? each.open));
    localize(fresh);
    region.replaceWith(fresh);
    return fresh;
  } catch {
    region.setAttribute("data-stale", ""); // signed out, or the site restarts: what is shown is old
    return region;
  }
}

/** Keep a region fresh while the page is seen. @param {Element} region */
function keepFresh(region) {
  let due = Date.now() + EVERY_MS;
  const look = async () => {
    if (document.hidden || Date.now() < due) return;
    due = Infinity;
    region = await refresh(region);
    due = Date.now() + EVERY_MS;
  };
  setInterval(look, 1_000);
  document.addEventListener("visibilitychange", look);
}

/** Download with its progress shown in the link; anything unexpected is left to the browser. @param {HTMLAnchorElement} link */
async function download(link) {
  const label = link.querySelector("span") ?? link;
  const text = label.textContent;
  link.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(link.href);
    const name = /filename="([\w.-]+)"/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1];
    const total = Number(answer.headers.get("Content-Length"));
    if (!answer.ok || !name || !answer.body || total > MAX_HELD_BYTES) {
      await answer.body?.cancel();
      location.assign(link.href); // to be asked for a password, or to read what is wrong
      return;
    }
    const parts = [];
    let got = 0;
    for (const reader = answer.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      got += value.length;
      label.textContent = `${text} ${total ? `${Math.floor((100 * got) / total)} %` : `${(got / 1e6).toFixed(1)} MB`}`;
    }
    const type = answer.headers.get("Content-Type") ?? "application/octet-stream";
    save(new Blob(parts, { type }), name);
  } catch {
    location.assign(link.href);
  } finally {
    label.textContent = text;
    link.removeAttribute("aria-busy");
  }
}

/** Hand a file to the browser. @param {Blob} content @param {string} name */
function save(content, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Copy a text of the page, and say so in the button. @param {HTMLButtonElement} button */
async function copy(button) {
  const text = document.getElementById(button.dataset.copy ?? "")?.textContent ?? "";
  await navigator.clipboard.writeText(text);
  button.textContent = button.dataset.copied ?? button.textContent;
}

/** Show the buttons that copy, where the browser lets a page. */
function offerCopies() {
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("button[data-copy]")) {
    if (!(button instanceof HTMLButtonElement)) continue;
    button.hidden = false;
    button.addEventListener("click", () => void copy(button));
  }
}

function start() {
  localize(document);
  nameZone();
  offerCopies();
  document.querySelectorAll("[data-live]").forEach(keepFresh);
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[data-download]") : null;
    const isPlain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    if (!(link instanceof HTMLAnchorElement) || !isPlain || link.ariaBusy === "true") return;
    event.preventDefault();
    void download(link);
  });
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll(".ck-account[open]")) {
      if (event.target instanceof Node && !menu.contains(event.target)) menu.removeAttribute("open");
    }
  });
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && document.querySelector(".ck-account[open]");
    if (!menu) return;
    menu.removeAttribute("open");
    menu.querySelector("summary")?.focus();
  });
}

start();
