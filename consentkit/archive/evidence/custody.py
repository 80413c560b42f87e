"""One period as it lies there, held against what the chain and the catalogue say of it.

Owns the order of questions: the chain by itself, the catalogue, the key, and at last the rows, which their store
checks. The first that fails is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consentkit.archive.evidence.replay import Expected
from consentkit.errors import KeyUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consentkit.archive.evidence.listing import Listed
    from consentkit.archive.evidence.replay import Replay
    from consentkit.archive.holdings import Holdings


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of one period, or of one incident, came to.

    Attributes:
        place: the period's name, as in ``2026-11-23``, or ``incident 3``.
        state: by the chain: ``open``, ``sealed``, ``destroying`` or ``destroyed``.
        rows: how many were read; None where none could be, or it is destroyed.
        fault: the first thing that does not hold; empty = all does.
    """

    place: str
    state: str
    rows: int | None = None
    fault: str = ""


def check_period(
    holdings: Holdings, name: str, listed: Listed | None, replay: Replay, *, advance: Callable[[float], None]
) -> Verdict:
    """Check one period.

    Args:
        holdings: the store; the caller holds the period's lock.
        name: which one.
        listed: what the catalogue says; None = it doesn't list it.
        replay: what the chain says.
        advance: called with the share of the rows that was read since the last call.
    """
    expected = replay.periods.get(name)
    fault = _of_chain(expected, listed, replay)
    state = expected.state if expected else listed.state if listed else "unknown"
    if fault or listed is None or state in ("destroying", "destroyed"):
        return Verdict(place=name, state=state, fault=fault)
    return _of_rows(holdings, listed, expected or Expected(), replay, advance)


def _of_chain(expected: Expected | None, listed: Listed | None, replay: Replay) -> str:
    """Return how the chain contradicts itself or the catalogue; empty = it doesn't."""
    if expected is None:
        return _unknown_to_chain(listed, replay)
    return next(_contradictions(expected, listed), "")


def _contradictions(expected: Expected, listed: Listed | None) -> Iterator[str]:
    yield from expected.faults
    if listed is None:
        yield "is not listed any more" + ("" if expected.certificate else ", and has no certificate")
        return
    if listed.state != expected.state:
        is_gone_unsaid = listed.is_gone and expected.certificate is None
        yield (
            f"is listed as {listed.state}{' without a certificate' if is_gone_unsaid else ''};"
            f" the audit says {expected.state}"
        )
    if expected.state in ("destroying", "destroyed"):
        return
    if expected.generation not in (None, listed.generation):
        yield f"is listed with generation {listed.generation}; the audit says {expected.generation}"
    if listed.old_generation != expected.pending:
        yield "is listed with another generation still to be destroyed than the audit says"
    if expected.sealed is not None and listed.file_hash != expected.sealed.file_hash:
        yield f"is listed with another hash than entry {expected.sealed.entry} says"


def _unknown_to_chain(listed: Listed | None, replay: Replay) -> str:
    if listed is None or listed.state == "open":
        return ""
    # Its entries were pruned: then all of it lies before what is kept.
    if listed.state == "destroyed" and replay.pruned_to and (listed.destroyed_us or 0) < replay.pruned_us:
        return ""
    return f"is listed as {listed.state}, and no entry of the audit says so"


def _of_rows(
    holdings: Holdings, listed: Listed, expected: Expected, replay: Replay, advance: Callable[[float], None]
) -> Verdict:
    def verdict(fault: str, rows: int | None = None) -> Verdict:
        return Verdict(place=listed.name, state=expected.state, rows=rows, fault=fault)

    if not holdings.rows.exists(listed.place):
        # The catalogue lists a period a moment before its file is made.
        return verdict("its file is missing, and it has no certificate" if expected.entries else "", 0)
    try:
        holdings.keyring.load(listed.place.key_name)
    except KeyUnavailable as exc:
        return verdict(f"its {exc}")
    sealed = expected.sealed
    content = holdings.rows.check(listed.place, expected.noted, is_sealed=sealed is not None, advance=advance)
    if content.fault and not content.file_hash:  # what is there was not even read
        return verdict(content.fault, content.rows)
    # After a restore that was meant, a file may be further on than the entries that are left of it.
    is_sealed_file = sealed is None or content.file_hash == sealed.file_hash
    if sealed is not None and not is_sealed_file and (content.fault or sealed.entry > replay.accepted):
        reasons = (f"its file is not the one that entry {sealed.entry} sealed", content.fault)
        return verdict("; ".join(filter(None, reasons)), content.rows)
    if sealed is not None and is_sealed_file and not content.fault and content.rows != sealed.rows:
        return verdict(f"it holds {content.rows} rows, and entry {sealed.entry} says {sealed.rows}", content.rows)
    return verdict(content.fault, content.rows)
