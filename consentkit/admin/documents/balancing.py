"""The balancing test of the request log in words, or, where it rests on a law, the test of necessity.

Source: GDPR art. 6(1)(c), (e) and (f), 6(3), 21; EDPB Guidelines 1/2024: interest, necessity, balance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consentkit.admin.documents import codes
from consentkit.admin.documents.layout import Document, Section, fact, place_text
from consentkit.admin.documents.processing import erasure_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.archive.register.measures import Measures
    from consentkit.archive.register.processings import Processing, ProcessingRecord
    from consentkit.web.texts import Catalogue


def balancing_title(say: Catalogue, basis: str) -> str:
    """Return what the document is called."""
    if basis == "legitimate_interest":
        return say.gettext("Balancing test of the request log")
    return say.gettext("Test of necessity and proportionality of the request log")


def balancing_document(
    say: Catalogue, record: ProcessingRecord, now: Measures, *, retention_reason: str, default_language: str
) -> Document:
    """Return the document.

    Args:
        say: the language.
        record: holds the request log's processing.
        now: the measures that are on.
        retention_reason: why for so long, as the settings say; may be empty.
        default_language: the site's first.
    """
    log = next(one for one in record.processings if one.name == "requests")
    by_interest = log.basis == "legitimate_interest"
    return Document(
        name="balancing-test",
        title=balancing_title(say, log.basis),
        lead=say.gettext("GDPR art. 6(1)(f); EDPB Guidelines 1/2024.")
        if by_interest
        else say.gettext("GDPR art. 6(3): what a law asks for may be done as far as it is necessary for that."),
        sections=(
            _interest(say, log),
            _necessity(say, log, record, retention_reason),
            _balance(say, log, now, default_language),
            _safeguards(say, now),
            _outcome(say, by_interest=by_interest),
        ),
    )


def _interest(say: Catalogue, log: Processing) -> Section:
    if log.basis == "legitimate_interest":
        return Section(
            id="interest",
            title=say.gettext("1. The interest"),
            facts=(
                fact(say.gettext("Which"), codes.processing_purposes(say)["requests"]),
                fact(
                    say.gettext("Lawful, clear and present"),
                    say.gettext(
                        "Network and information security is a legitimate interest (GDPR recital 49; CJEU"
                        " C-582/14,"
                        " Breyer). Attacks and failures happen at any time and show themselves days or weeks"
                        " later."
                    ),
                ),
            ),
        )
    return Section(
        id="interest",
        title=say.gettext("1. The task or duty"),
        facts=(
            fact(say.gettext("Legal basis"), codes.basis_text(say, log.basis, log.basis_law)),
            fact(say.gettext("Purpose"), codes.processing_purposes(say)["requests"]),
        ),
    )


def _necessity(say: Catalogue, log: Processing, record: ProcessingRecord, reason: str) -> Section:
    data = codes.data_names(say, record.kept_query_keys)
    return Section(
        id="necessity",
        title=say.gettext("2. Necessity"),
        facts=(
            fact(say.gettext("What is recorded"), *(data[each] for each in log.data)),
            fact(
                say.gettext("What is never recorded"),
                say.gettext("Cookies, contents of forms, passwords, consent numbers, names of accounts."),
            ),
            fact(say.gettext("For how long"), *(erasure_text(say, each) for each in log.erasure), reason),
            fact(
                say.gettext("Why not with less"),
                say.gettext(
                    "An attack is told from a fault, and one attacker from another, only by address, time,"
                    " web address"
                    " and answer together. Counts alone are kept as statistics, and no more is done with them."
                ),
            ),
        ),
    )


def _balance(say: Catalogue, log: Processing, now: Measures, default_language: str) -> Section:
    receivers = log.recipients or (say.gettext("Nobody outside of the controller."),)
    abroad = tuple(place_text(say, place, default_language) for _, place in log.transfers if place.country)
    facts = [
        fact(
            say.gettext("What people may expect"),
            say.gettext(
                "Who opens a web page expects that the request is recorded for security for a limited time; the"
                " privacy notice says it, with each field and the period."
            ),
        ),
        fact(say.gettext("What it means for them"), *_impact(say, now)),
        fact(say.gettext("Who receives it"), *receivers, *abroad),
        fact(
            say.gettext("Children and other vulnerable people"),
            say.gettext(
                "They can be among the visitors. Nobody is profiled, addressed or treated otherwise by it."
            ),
        ),
    ]
    if log.basis != "legal_obligation":
        facts.append(
            fact(
                say.gettext("Right to object"),
                say.gettext(
                    "Stated apart from all else in the notice; objections are decided under People (art. 21)."
                ),
            )
        )
    return Section(id="balance", title=say.gettext("3. Weighing"), facts=tuple(facts))


def _impact(say: Catalogue, now: Measures) -> Iterator[str]:
    if now.truncate_after_days == 0:
        yield say.gettext(
            "Small: a network alone points to many people; with time and browser it may point to fewer."
        )
    elif now.truncate_after_days is not None:
        yield say.gettext(
            "Limited: addresses point to a connection, and are cut to networks before the records go."
        )
    else:
        yield say.gettext(
            "Limited: addresses point to a connection until the records go; no names and no accounts stand"
            " beside them."
        )


def _safeguards(say: Catalogue, now: Measures) -> Section:
    return Section(
        id="safeguards",
        title=say.gettext("4. Safeguards"),
        lines=tuple(_safeguard_lines(say, now)),
    )


def _safeguard_lines(say: Catalogue, now: Measures) -> Iterator[str]:
    if now.requests_on:
        yield say.gettext(
            "Addresses, web addresses, browsers and referrers are encrypted under a key of each period, which is"
            " destroyed with it."
        )
    else:
        yield say.gettext("Encrypted under a key of each period, which is destroyed with it.")
    if not now.has_secret:
        yield say.gettext("Not in force: the secret of the keys was made for development and lies beside them.")
    yield say.gettext(
        "Personal data is shown only after a purpose was given; addresses are masked until shown for a case."
    )
    yield say.gettext("Each look is recorded, and reviewed by an officer.")
    yield say.ngettext(
        "{n} person may sign in, {codes} of them with one-time codes.",
        "{n} people may sign in, {codes} of them with one-time codes.",
        now.staff,
        codes=now.staff_with_codes,
    )
    yield say.gettext("It can't be exported into analytics, and no automated decision rests on it.")


def _outcome(say: Catalogue, *, by_interest: bool) -> Section:
    if by_interest:
        lead = say.gettext(
            "With these limits and safeguards the interests and rights of visitors do not override the"
            " interest. Who"
            " approves this page says so, for the settings that it shows and no others."
        )
    else:
        lead = say.gettext(
            "With these limits and safeguards what is recorded is necessary for the task and proportionate to"
            " it. Who"
            " approves this page says so, for the settings that it shows and no others."
        )
    return Section(id="outcome", title=say.gettext("5. Outcome"), lead=lead)
