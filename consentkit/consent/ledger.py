"""The ledger: which policies there were, and each decision that visitors made under them.

Owns the append-only rows behind a proof of consent. A row holds no address and no user agent; one without
any consent holds no id. Loaded at a worker's first write, since it brings the database with it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import Connection, select

from consentkit.consent.decision import Decision
from consentkit.consent.doubles import KEPT_MINUTES, decision_of_form, remember_form
from consentkit.consent.ledgerchain import newest_link
from consentkit.consent.news import added_since
from consentkit.consent.policy import PolicyState, policy_hash
from consentkit.consent.rates import count_outcomes
from consentkit.consent.shown import text_hash
from consentkit.consent.statement import SECONDS_A_MINUTE, signed_bytes, statement_hash, statement_of
from consentkit.control import decision as decisions
from consentkit.control import policy as policy_table
from consentkit.control import shown_text
from consentkit.signing import Signer, installation_id, public_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consentkit.consent.outcomes import Outcome
    from consentkit.control import Control

# Two submits of one visitor that say the same are one: a double click, or a form that was sent again.
_REPEATED_MINUTES: Final = 1

_REVISIONS_WITH_NEWS: Final = 32  # who chose before them is asked again without a list of what has changed


def record_decision(
    control: Control, answer: Decision, counted: Sequence[Outcome] = (), *, shown: bytes = b"", once: str = ""
) -> Decision:
    """Write one decision durably and return it with its number, time, signature and place in the chain.

    One that says what the same visitor has just said makes no second row: the first is returned. So does one that
    says what the same form has said some minutes ago, where nothing else links a browser's first answers yet; the
    row that is returned may then bear another id.

    Args:
        control: the control database.
        answer: the decision.
        counted: what it counts as in the rates; kept in the same transaction.
        shown: canonical text of what the visitor was shown; kept once. Empty = it is not known.
        once: digest of the form's own value; empty = the form has none.

    Raises:
        KeyUnavailable: the signing key is missing.
        StorageError: it can't be made durable; a grant must then not be given.
    """
    now = int(time.time()) // SECONDS_A_MINUTE
    with control.transaction() as connection:
        before = _newest_of(connection, answer.consent_id)
        if before is not None and _is_repeated(answer, before, now):
            return before
        if before is None and (sent := _sent_before(connection, answer, once, now)) is not None:
            return sent
        end = newest_link(connection)
        decision = msgspec.structs.replace(
            answer,
            number=end.number + 1,
            minute=answer.minute or now,
            written=now,
            previous_number=before.number if before is not None else 0,
            previous_hash=end.hash,
            policy_hash=_policy_hash(connection, answer.revision),
            text_hash=_keep_text(connection, shown, answer.locale),
        )
        decision = _signed(connection, control, decision)
        connection.execute(decisions.insert().values(msgspec.structs.asdict(decision)))
        count_outcomes(connection, decision, counted)
        remember_form(connection, once, decision.number, now)
    return decision


def decisions_of(control: Control, consent_id: str) -> list[Decision]:
    """Return all decisions under one consent id, oldest first."""
    with control.reading() as connection:
        found = connection.execute(
            select(decisions).where(decisions.c.consent_id == consent_id).order_by(decisions.c.number)
        ).all()
    return [Decision(**row._asdict()) for row in found]


def register_policy(
    control: Control, canonical: bytes, additions: Callable[[bytes, bytes], frozenset[str]]
) -> PolicyState:
    """Enter a policy if it is new, and return its state.

    Args:
        control: the control database.
        canonical: the policy's canonical text.
        additions: tells the categories to which the second policy adds something over the first.
    """
    wanted = policy_hash(canonical)
    with control.transaction() as connection:
        known = connection.execute(select(policy_table).order_by(policy_table.c.revision)).all()
        if not known or known[-1].hash != wanted:
            revision = known[-1].revision + 1 if known else 1
            row = {"revision": revision, "hash": wanted, "snapshot": canonical, "time": int(time.time())}
            connection.execute(policy_table.insert().values(row))
        else:
            revision = known[-1].revision
    steps = [bytes(row.snapshot) for row in known if row.revision < revision] + [canonical]
    numbers = [row.revision for row in known if row.revision < revision]
    renewed: dict[int, tuple[str, ...]] = {}
    added: frozenset[str] = frozenset()
    for index in range(len(numbers) - 1, -1, -1):  # an addition that was taken back still was an addition
        added |= additions(steps[index], steps[index + 1])
        renewed[numbers[index]] = tuple(sorted(added))
    latest = list(zip(numbers, steps, strict=False))[-_REVISIONS_WITH_NEWS:]
    return PolicyState(
        revision, wanted, renewed, {number: added_since(text, canonical) for number, text in latest}
    )


def _newest_of(connection: Connection, consent_id: str) -> Decision | None:
    if not consent_id:
        return None
    row = connection.execute(
        select(decisions).where(decisions.c.consent_id == consent_id).order_by(decisions.c.number.desc()).limit(1)
    ).one_or_none()
    return Decision(**row._asdict()) if row else None


def _is_repeated(answer: Decision, before: Decision, now: int) -> bool:
    return _says_the_same(answer, before) and not answer.minute and 0 <= now - before.minute <= _REPEATED_MINUTES


def _sent_before(connection: Connection, answer: Decision, once: str, now: int) -> Decision | None:
    """Return what the same form has made, where it said the same and stands."""
    number = decision_of_form(connection, once)
    if number is None:
        return None
    row = connection.execute(select(decisions).where(decisions.c.number == number)).one_or_none()
    before = Decision(**row._asdict()) if row else None
    if before is None or not _says_the_same(answer, before):
        return None
    if abs((answer.minute or now) - before.minute) > KEPT_MINUTES:
        return None
    # Whoever has changed his mind since and now says it again has said something new.
    return before if _newest_of(connection, before.consent_id) in (before, None) else None


def _says_the_same(answer: Decision, before: Decision) -> bool:
    return (answer.granted, answer.denied, answer.revision) == (before.granted, before.denied, before.revision)


def _signed(connection: Connection, control: Control, decision: Decision) -> Decision:
    # In the transaction that writes the row: a rotation that replaces the key waits for its end.
    signer = Signer(connection, control.keyring)
    statement = statement_of(decision, installation_id(public_keys(connection)))
    signature = signer.sign(signed_bytes(statement))
    return msgspec.structs.replace(
        decision, hash=statement_hash(statement), key_id=signature.key_id, signature=signature.value
    )


def _policy_hash(connection: Connection, revision: int) -> str:
    found = select(policy_table.c.hash).where(policy_table.c.revision == revision)
    return str(connection.execute(found).scalar() or "")


def _keep_text(connection: Connection, shown: bytes, locale: str) -> str:
    if not shown:
        return ""
    wanted = text_hash(shown)
    if connection.execute(select(shown_text.c.hash).where(shown_text.c.hash == wanted)).scalar() is None:
        row = {"hash": wanted, "locale": locale, "snapshot": shown, "time": int(time.time())}
        connection.execute(shown_text.insert().values(row))
    return wanted
