"""What a person's answer says of why and how long her data is kept, in her language.

Owns the sentences that follow from the settings. Those of the page itself stand in its template.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from consentkit.consent.decision import Method
    from consentkit.settings import RequestLog
    from consentkit.web.texts import Catalogue


class Why(NamedTuple):
    """Why one kind of data is kept: what for, on which basis, how long, and where it comes from."""

    purpose: str
    basis: str
    kept: str
    source: str


def log_words(log: RequestLog, say: Catalogue) -> Why:
    """Return why the request log is kept."""
    basis = {
        "legitimate_interest": say.gettext("legitimate interest in availability and security (GDPR art. 6(1)(f))"),
        "legal_obligation": say.gettext("a legal obligation (GDPR art. 6(1)(c))"),
        "public_task": say.gettext("a public task (GDPR art. 6(1)(e))"),
    }[log.basis]
    kept = [
        say.ngettext(
            "{n} day from the start of the day or hour of the request.",
            "{n} days from the start of the day or hour of the request.",
            log.retention_days,
        )
    ]
    if log.retention_reason:
        kept.append(say.gettext("The reason: {reason}.", reason=log.retention_reason.rstrip(".")))
    if log.truncate_ip_after_days:
        kept.append(
            say.ngettext(
                "The address is cut to its network after {n} day.",
                "The address is cut to its network after {n} days.",
                log.truncate_ip_after_days,
            )
        )
    return Why(
        purpose=say.gettext("working, security and incidents of this website"),
        basis=f"{basis}: {log.basis_law}" if log.basis_law else basis,
        kept=" ".join(kept),
        source=say.gettext("your browser and your connection, with each page that was asked for"),
    )


def choice_words(proof_days: int, say: Catalogue) -> Why:
    """Return why choices about cookies are kept.

    Args:
        proof_days: how long after a consent has ended.
        say: the words.
    """
    return Why(
        purpose=say.gettext("to prove which consent was given or refused"),
        basis=say.gettext("a legal obligation: to be able to demonstrate consent (GDPR art. 5(2), 7(1))"),
        kept=say.ngettext(
            "{n} day after the consent has ended.", "{n} days after the consent has ended.", proof_days
        ),
        source=say.gettext("what was chosen on this website"),
    )


def why_withheld(say: Catalogue) -> str:
    """Return why rows that may be the person's are not handed over."""
    return say.gettext(
        "Addresses in these records were cut to the network, which others share; nobody can tell any more whose"
        " they are (GDPR art. 11), so they are not in this file."
    )


def others_withheld(say: Catalogue) -> str:
    """Return why rows of the same address are not handed over."""
    return say.gettext(
        "Others used the same address with other browsers; their records are theirs (GDPR art. 15(4)), so they"
        " are not in this file."
    )


def purposes_of_looks(say: Catalogue) -> dict[str, str]:
    """Return the names of the audit's purposes."""
    return {
        "operation": say.pgettext("why the log was looked at", "running the website"),
        "security": say.pgettext("why the log was looked at", "security"),
        "incident": say.pgettext("why the log was looked at", "an incident"),
        "fraud": say.pgettext("why the log was looked at", "fraud"),
        "person": say.pgettext("why the log was looked at", "a person’s request"),
        "audit": say.pgettext("why the log was looked at", "an audit"),
    }


def categories(names: str, say: Catalogue) -> str:
    """Return categories in words.

    Args:
        names: as a decision has them: joined by commas, services with a plus before their ids.
        say: the words.
    """
    known = {
        "preferences": say.gettext("Preferences"),
        "statistics": say.gettext("Statistics"),
        "marketing": say.gettext("Marketing"),
    }
    return ", ".join(known.get(name, name) for name in names.split(",") if name)


def method_words(method: Method, say: Catalogue) -> str:
    """Return how a choice was given."""
    return {
        "banner": say.pgettext("how a choice was given", "in the banner"),
        "settings": say.pgettext("how a choice was given", "in the settings"),
        "withdrawal": say.pgettext("how a choice was given", "withdrawn"),
        "embed": say.pgettext("how a choice was given", "at a piece of content"),
        "api": say.pgettext("how a choice was given", "by a script of the site"),
    }[method]
