"""Decisions as rows of a page, in words.

Owns the row. What the check of a decision came to is `decisions`', its words `consentwords`'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.admin import consentwords
from consentkit.consent.statement import SECONDS_A_MINUTE, minute_of

if TYPE_CHECKING:
    from consentkit.admin.decisions import Checked
    from consentkit.consent.registry import Registry
    from consentkit.consent.statement import Statement
    from consentkit.web.texts import Catalogue

_US_A_MINUTE: Final = SECONDS_A_MINUTE * 1_000_000


class DecisionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One decision, in words.

    Attributes:
        number: in the ledger.
        time_us, written_us: of the answer and of the row; `written_us` 0 where they are the same minute.
        granted, denied: names as one phrase; empty = none.
        method, language: how and in which.
        script: sent by one.
        revision, policy_hash, text_hash: what was in force and shown; hashes empty = not known.
        previous: number of the visitor's decision before; 0 = none.
        key_id: of the key that signed.
        state, tone: what the check came to; empty where the whole receipt was checked.
    """

    number: int
    time_us: int
    written_us: int = 0
    granted: str
    denied: str
    method: str
    language: str
    script: bool
    revision: int
    policy_hash: str
    text_hash: str
    previous: int = 0
    key_id: str = ""
    state: str = ""
    tone: str = ""


def checked_row(say: Catalogue, registry: Registry, checked: Checked) -> DecisionRow:
    """Return a decision of the ledger."""
    decision = checked.decision
    state, tone = consentwords.state_words(say, checked.state)
    return DecisionRow(
        number=decision.number,
        time_us=decision.minute * _US_A_MINUTE,
        written_us=decision.written * _US_A_MINUTE if decision.written != decision.minute else 0,
        granted=consentwords.place_names(say, registry, decision.granted.split(",")),
        denied=consentwords.place_names(say, registry, decision.denied.split(",")),
        method=consentwords.method_name(say, decision.method),
        language=decision.locale,
        script=bool(decision.script),
        revision=decision.revision,
        policy_hash=decision.policy_hash,
        text_hash=decision.text_hash,
        previous=decision.previous_number,
        key_id=decision.key_id,
        state=state,
        tone=tone,
    )


def stated_row(say: Catalogue, registry: Registry, statement: Statement) -> DecisionRow:
    """Return a decision of a receipt whose signatures hold."""
    return DecisionRow(
        number=statement.number,
        time_us=time_us(statement.time),
        granted=consentwords.place_names(say, registry, statement.granted),
        denied=consentwords.place_names(say, registry, statement.denied),
        method=consentwords.method_name(say, statement.method),
        language=statement.locale,
        script=statement.script,
        revision=statement.revision,
        policy_hash=statement.policy_hash,
        text_hash=statement.text_hash,
    )


def time_us(minute: str) -> int:
    """Return a minute of a receipt, as ``2026-11-23T13:06Z``, in microseconds since 1970 UTC.

    Raises:
        ValueError: it is none.
    """
    return minute_of(minute) * _US_A_MINUTE
