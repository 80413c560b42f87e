"""Heads of running digests, noted in the audit while their periods are written.

Owns the entry ``period.head``. When it is written is the caretaker's business; what a head is, the store's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from consentkit import audit

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from consentkit.archive.store.places import Head
    from consentkit.audit import Actor
    from consentkit.control import Control

ACTION: Final = "period.head"


class WrittenHead(NamedTuple):
    """Where a period's digest stands after the last of what was written."""

    generation: int
    head: Head


def note_heads(control: Control, actor: Actor, written: MutableMapping[str, WrittenHead]) -> None:
    """Write the heads of all that was written into the audit, as one entry, and forget them then.

    Args:
        control: the control database.
        actor: who writes.
        written: by the period's name, what was written since the last note; nothing = no entry.

    Raises:
        StorageError: the entry can't be made durable; the heads are kept for the next note.
    """
    noted = dict(written)
    if not noted:
        return
    audit.record(control, actor, ACTION, detail={"heads": [_told(name, one) for name, one in noted.items()]})
    for name, one in noted.items():
        if written.get(name) == one:
            del written[name]


def _told(name: str, written: WrittenHead) -> dict[str, object]:
    head = written.head
    of_lane = {"lane": head.lane} if head.lane else {}
    return {
        "period": name,
        "generation": written.generation,
        **of_lane,
        "batch": head.batch,
        "head": head.digest.hex(),
    }
