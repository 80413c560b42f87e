// @ts-check
/**
 * Tells Matomo the choice: without consent to statistics, or to Matomo alone, it measures without cookies.
 *
 * The choice is kept by consentkit, so Matomo is told anew in each page and is not asked to remember it
 * (rememberCookieConsentGiven): its own cookie would outlive a withdrawal that it does not hear of.
 */
{
  const queue = (/** @type {any} */ (window)._paq ??= []);
  const isGranted = (/** @type {any} */ { categories, services }) => categories.statistics === true || services.includes("matomo");
  let isGiven = false;
  const tell = (/** @type {boolean} */ isNow) => {
    if (isNow !== isGiven) queue.push([isNow ? "setCookieConsentGiven" : "forgetCookieConsentGiven"]);
    isGiven = isNow;
  };

  queue.push(["requireCookieConsent"]);
  tell(isGranted(/** @type {any} */ (window).consentkit.get()));
  document.addEventListener("consentkit:change", ({ detail }) => tell(isGranted(detail)));
}
