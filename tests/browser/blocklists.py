"""Facts about the public lists by which browsers hide and block cookie notices, where our names come near them.

The lists (EasyList Cookie, uBlock Origin's and AdGuard's Cookie Notices, I don't care about cookies) were read in
2026. Nearly all of their rules for any site are made of a few words; no name of ours has one. Those without such a
word that begin as ours do are named one by one.
"""

from __future__ import annotations

import re
from typing import Final

# Parts of ids, classes and element names that the lists hide everywhere.
HIDDEN_WORDS: Final = frozenset(
    {
        *("cookie", "coockie", "cooki", "kuki", "biscuit", "biscotto", "gdpr", "dsgvo", "rgpd", "lgpd", "rodo"),
        *("ccpa", "cnil", "privacy", "cmp", "onetrust", "optanon", "didomi", "cookiebot", "cybot", "evidon"),
        *("truste", "iubenda", "usercentrics", "quantcast", "tarteaucitron", "klaro", "orejime", "cmplz"),
        *("consent-", "consent_", "-consent", "_consent", "disclaimer", "eprivacy", "eulaw", "optin", "opt-in"),
    }
)

# Hidden everywhere though they have none of the words. A page without a doctype compares without regard to case.
HIDDEN_IDS: Final = frozenset(
    {
        *("consentaccepted", "consentbanner", "consentbar", "consentdialog", "consentfirst"),
        *("consentfooter", "consentframe", "consentfriend", "consentlyr", "consentoverlay", "consentpopup"),
        *("consentwrapper", "consentform_wrapper", "cconsent", "ccbar", "ckbar", "ckc", "ckwarning", "ckwrap"),
        *("ck-accept", "ck-dialog", "ck_banner", "ck_dsclr", "ck_dsclr_v2", "ck_law", "ck_row", "ckbr_banner"),
        *("ckch", "ckcnsnt", "ckcnstwrp", "ckkasten", "ckpolicy", "ckpop", "cks", "cky-notification", "cl-banner"),
    }
)
HIDDEN_CLASSES: Final = frozenset(
    {
        *("consentbanner", "consentbarwrapper", "consentcontainer", "consentlayover", "consentpopup"),
        *("consentwrapper", "ck-banner", "ck-notiz", "ckwarning", "ck_banner", "ck_infocookie", "cki-unaccepted"),
        *("cki-wrap", "cklowpopcontainer", "ckn-container", "cck-msg", "ccklayer", "cl_bar", "cc-banner"),
        *("cc-revoke", "cc-floating", "cb-banner", "ce-banner", "butterbar"),
    }
)

# Rules for the addresses of first-party files; "*" is any text and "^" an end of a name or of the address.
BLOCKED_ADDRESSES: Final = (
    *("-consent-banner-", "-consent-banner.", "-tracking-consent.", ".consent-cookie.", "/consent-banner-"),
    *("/consent-dialog.", "/consent-management.js", "/consent-management/*", "/consent-manager.", "/consentUI/*"),
    *("/consent-tracking-", "/consent.min.js?", "/consent/manager/*", "/consent/message.", "/consent_banner-"),
    *("/consentcookie.js", "/ConsentTracking-", "/data-consent.", "/dsgvo-consent.", "/idg-consent."),
    *("/implied-consent.", "/ip-consent.", "/privacy-consent-", "/sm-oo-consent.", "/zdconsent.", "/cdn/consent_"),
    *("-cookie-banner-", "-cookie-bar.", "-cookie-consent.", "-cookie-notice.", "-cookie-policy."),
    *("-cookieconsent-", ".cookieconsent.", ".cookienotice.", ".cookiepolicy.", ".gdpr.js", "/cookie-banner"),
    *("/cookie-bar-", "/cookie-choices.", "/cookie-consent-", "/cookie-consent.", "/cookie-consent/*"),
    *("/cookie-info.", "/cookie-law.js", "/cookie-notice.", "/cookie-policy.", "/cookie-policy/*"),
    *("/cookie/main.", "/cookie_consent.", "/cookie_notice.", "/cookiebanner.", "/cookiebar.js"),
    *("/cookiechoice.js", "/cookieConsent-", "/cookieconsent.", "/cookieconsent/*", "/cookielaw."),
    *("/cookiepolicy.", "/cookies-banner", "/cookies-info.", "/cookies-policy.", "/cookies/cookie-"),
    *("/cookies/popup.", "/cookies_policy.", "/gdpr.js", "/gdpr-consent.", "/gdpr/assets/*", "/privacy-banner."),
    *("/privacy-manager.js", "/privacy-policy.js", "/cmp-banner.js", "/cmp/cmp.js", "/css/modules/consent.css^"),
    *("/dist/resources/js/consent.js^", "/mod_consent/js/*", "/notification.js*browserId="),
)


def blocks(rule: str, address: str) -> bool:
    """Tell whether a rule of the lists is for an address."""
    parts = {"*": ".*", "^": r"(?:[^\w.%-]|$)"}
    pattern = "".join(parts.get(letter, re.escape(letter)) for letter in rule)
    return re.search(pattern, address, re.IGNORECASE) is not None
