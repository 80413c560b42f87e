// Shows the hidden banner of a page from a shared cache before anything is painted, so that nothing moves.
if (!document.currentScript.dataset.cookie.split(" ").some((name) => `; ${document.cookie}`.includes(`; ${name}=v1.`))
  && !navigator.globalPrivacyControl) document.documentElement.classList.add("ck-ask");
