// @ts-check
/**
 * Lumo's own statistics: notes on this device that the site was seen, and when.
 *
 * Waits inside a template with data-consent="statistics", so it runs only for visitors who agreed.
 */

const DAYS_KEPT = 30;

/** @param {Date} now */
export function seenCookie(now) {
  const day = now.toISOString().slice(0, 10);
  return `lumo_seen=${day}; Max-Age=${DAYS_KEPT * 86_400}; Path=/; SameSite=Lax`;
}

document.cookie = seenCookie(new Date());
