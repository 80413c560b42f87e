// @ts-check
/**
 * Tells Google's tags the choice, by Consent Mode v2: a default that denies before any tag, then one update a
 * decision. A choice that is known already is told at once.
 */
{
  // Google's tags wait so long for consentkit.js, where the cookie alone does not tell.
  const WAIT_MS = 500;
  const queue = (/** @type {any} */ (window).dataLayer ??= []);
  /** Tags read the arguments object itself; an array means something else to them. */
  function gtag() { queue.push(arguments); }
  const tell = /** @type {(...given: unknown[]) => void} */ (gtag);

  const states = (/** @type {Record<string, boolean>} */ { preferences, statistics, marketing }) => {
    const state = (/** @type {boolean | undefined} */ isGranted) => (isGranted ? "granted" : "denied");
    return {
      ad_storage: state(marketing),
      ad_user_data: state(marketing),
      ad_personalization: state(marketing),
      analytics_storage: state(statistics),
      functionality_storage: state(preferences),
      personalization_storage: state(preferences),
    };
  };

  tell("consent", "default", { ...states({}), security_storage: "granted", wait_for_update: WAIT_MS });
  const { decided, categories } = /** @type {any} */ (window).consentkit.get();
  if (decided || Object.values(categories).includes(true)) tell("consent", "update", states(categories));
  document.addEventListener("consentkit:change", ({ detail }) => tell("consent", "update", states(detail.categories)));
}
