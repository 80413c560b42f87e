"""The words for the codes of `archive.register`: processings, what they record, on what basis.

Owns no decision; a test holds that every code has its words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consentkit.web.texts import Catalogue


def processing_names(say: Catalogue) -> dict[str, str]:
    """Return what each processing is called."""
    return {
        "requests": say.pgettext("processing", "Request log"),
        "choices": say.pgettext("processing", "Visitors' choices and their proof"),
        "incidents": say.pgettext("processing", "Incidents"),
        "access": say.pgettext("processing", "Record of access by staff"),
        "subjects": say.pgettext("processing", "Requests of data subjects"),
        "statistics": say.pgettext("processing", "Statistics"),
    }


def processing_purposes(say: Catalogue) -> dict[str, str]:
    """Return what each processing is for."""
    return {
        "requests": say.gettext(
            "To keep the site available and secure, and to investigate incidents; for nothing else."
        ),
        "choices": say.gettext("To do as visitors have chosen, and to be able to show that consent was given."),
        "incidents": say.gettext(
            "To investigate attacks and failures, and to establish, exercise or defend legal claims."
        ),
        "access": say.gettext("To be able to find out who looked at personal data, when and why."),
        "subjects": say.gettext("To answer people who make use of their rights, and to be able to show it."),
        "statistics": say.gettext("To know how the site answers, by counts that identify nobody."),
    }


def basis_text(say: Catalogue, basis: str, law: str) -> str:
    """Return the legal basis (GDPR art. 6(1)), with the law where it rests on one."""
    named = {
        "art. 7(1)": say.gettext("the duty to be able to show consent, GDPR art. 7(1)"),
        "art. 12-22": say.gettext("the duty to answer data subjects, GDPR art. 12 to 22"),
    }.get(law, law)
    match basis:
        case "legitimate_interest":
            return say.gettext("Legitimate interests, GDPR art. 6(1)(f)")
        case "legal_obligation":
            return say.gettext("Legal obligation, GDPR art. 6(1)(c): {law}", law=named)
        case "public_task":
            return say.gettext("Task carried out in the public interest, GDPR art. 6(1)(e): {law}", law=named)
        case _:
            return say.gettext("None is needed: the counts are no personal data.")


def subject_names(say: Catalogue) -> dict[str, str]:
    """Return what the categories of data subjects are called."""
    return {
        "visitors": say.gettext("Visitors of the site"),
        "staff": say.gettext("Staff who may look at personal data"),
        "people": say.gettext("People who make use of their rights"),
    }


def data_names(say: Catalogue, kept_query_keys: tuple[str, ...]) -> dict[str, str]:
    """Return what the categories of data are called."""
    return {**_of_requests(say, kept_query_keys), **_of_others(say)}


def _of_requests(say: Catalogue, kept_query_keys: tuple[str, ...]) -> dict[str, str]:
    return {
        "time": say.gettext("time of the request, and how long the answer took"),
        "address": say.gettext("IP address of the client and of a proxy between"),
        "network": say.gettext("network of the IP address: its last part is cut off before it is stored"),
        "url": say.gettext("web address; e-mail addresses, tokens and personal codes in its path are blacked out"),
        "url_whole_path": say.gettext("web address with all of its path"),
        "query_keys": say.gettext(
            "of the values of its query those of: {keys}; all others are blacked out",
            keys=", ".join(kept_query_keys),
        ),
        "query_none": say.gettext("none of the values of its query: all are blacked out"),
        "attack_marks": say.gettext("whether what was blacked out looked like an attack"),
        "answer": say.gettext("status, size and completeness of the answer"),
        "agent": say.gettext("browser, device and operating system, as the browser describes itself"),
        "referrer_host": say.gettext("name of the site whose link was followed, without the page"),
        "country": say.gettext("country of the IP address, looked up on the own server"),
        "city": say.gettext("country and city of the IP address, looked up on the own server"),
    }


def _of_others(say: Catalogue) -> dict[str, str]:
    return {
        "choice": say.gettext("the choice and its minute, and where it was made"),
        "consent_number": say.gettext("a random number while something optional is allowed; none after a refusal"),
        "language": say.gettext("language of the page"),
        "text_shown": say.gettext("which text was shown"),
        "copies_of_requests": say.gettext("copies of records of the request log"),
        "case": say.gettext("number and reason of the case, and who answers for it"),
        "staff_name": say.gettext("name and roles of the member of staff"),
        "staff_address": say.gettext("IP address of the member of staff"),
        "action": say.gettext("what was done, and when"),
        "reason": say.gettext("purpose, case and reason"),
        "search_terms": say.gettext("what was searched for, which may be a visitor's IP address"),
        "request_kind": say.gettext("what was asked for, and when"),
        "request_address": say.gettext("IP address, browser or consent number, while the request is open"),
        "request_answer": say.gettext("what was answered or done, and when"),
        "fingerprint": say.gettext("a fingerprint that only the installation's keys can make"),
        "counts": say.gettext("counts by hour and day, small groups put together"),
    }
