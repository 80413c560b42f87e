"""What an answer counts as: accepted, refused, changed or withdrawn, by category and as a whole.

Owns the words of the rates. It sees categories before and after, never a visitor. The counts themselves are
`rates`'s.

=========  =========  =============================================================
before     after      a category counts as
=========  =========  =============================================================
undecided  granted    accepted
undecided  denied     refused
denied     granted    changed: a refusal was taken back
granted    denied     withdrawn (GDPR art. 7(3)), whatever else stays granted
any        the same   nothing
=========  =========  =============================================================

"Undecided" is also a category that is asked about again: its time has run out, or something was added to it.

An answer as a whole counts once, as the first of these that fits. One that moves no category, as one that
allows a single service, counts as nothing.

=============================================  ====================================
the answer                                     counts as
=============================================  ====================================
decides an undecided category; after it …
    … every category is granted                accepted
    … no category is granted                   refused
    … some are                                 partly
grants a category that was denied              changed
takes categories back, and grants none         withdrawn
=============================================  ====================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consentkit.consent.choice import Consent

OutcomeKind: TypeAlias = Literal["accepted", "partly", "refused", "changed", "withdrawn"]

# Stands for a category where the answer is counted as a whole.
WHOLE: Final = ""

_KINDS: Final[dict[tuple[bool | None, bool | None], OutcomeKind]] = {
    (None, True): "accepted",
    (None, False): "refused",
    (False, True): "changed",
    (True, False): "withdrawn",
    (True, None): "withdrawn",  # no answer does that now; it would not be less of a withdrawal
}


class Outcome(msgspec.Struct, frozen=True):
    """One thing that an answer counts as.

    Attributes:
        category: `WHOLE` for the answer itself.
        kind: as in the tables above; ``partly`` only of a whole answer.
    """

    category: str
    kind: OutcomeKind


def outcomes(before: Consent, after: Consent, categories: Iterable[str]) -> tuple[Outcome, ...]:
    """Return what an answer counts as, the whole first; nothing where it moves no category.

    Args:
        before: what the visitor's own choice allowed, whatever a privacy signal makes of it.
        after: what the answer leaves in force.
        categories: the optional ones.
    """
    asked = tuple(categories)
    moved = [
        Outcome(category, kind)
        for category in asked
        if (kind := _KINDS.get((before.answer(category), after.answer(category)))) is not None
    ]
    if not moved:
        return ()
    return (Outcome(WHOLE, _whole({each.kind for each in moved}, after, asked)), *moved)


def _whole(kinds: set[OutcomeKind], after: Consent, asked: tuple[str, ...]) -> OutcomeKind:
    if kinds.isdisjoint({"accepted", "refused"}):
        return "changed" if "changed" in kinds else "withdrawn"
    granted = sum(category in after.granted for category in asked)
    if granted == len(asked):
        return "accepted"
    return "partly" if granted else "refused"
