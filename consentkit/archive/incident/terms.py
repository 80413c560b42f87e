"""On what terms rows are held: for which case, why, by whom, until when.

Owns what is allowed of each. A hold without an owner, a reason or an end would be a log kept for ever.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import msgspec

from consentkit.archive.incident.listing import BadIncident
from consentkit.archive.incident.review import check_review
from consentkit.archive.store.interface import Filters

_MAX_CHARS: Final = {"case": 100, "owner": 100, "reason": 2000}


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What rows are held, and on what terms.

    Attributes:
        case: the operator's own number or name of the matter; several incidents may share it.
        reason: why the rows are needed, in words.
        owner: who answers for the hold.
        review: when he says again whether they are needed.
        filters: which rows.
        asked: the same by the names under which they were asked for, for the record.
        is_all: that all rows are meant was said in so many words.
    """

    case: str
    reason: str
    owner: str
    review: date
    filters: Filters
    asked: dict[str, object]
    is_all: bool = False

    def check(self, today: date) -> None:
        """Check all of it.

        Raises:
            BadIncident: names the first fault, and what is allowed.
        """
        for name, text in (("case", self.case), ("reason", self.reason), ("owner", self.owner)):
            check_text(name, text)
        check_review(self.review, today)
        if self.filters == Filters() and not self.is_all:
            raise BadIncident(
                "no filter says which rows: name at least one, as --address or --since, or say --all-rows"
            )


def check_text(name: str, text: str) -> None:
    """Check words that are kept and shown to others.

    Raises:
        BadIncident: they are empty, too long, or hold what is not printed.
    """
    limit = _MAX_CHARS[name]
    if not text.strip():
        raise BadIncident(f"--{name} is empty; rows are held for a stated {name} alone")
    if len(text) > limit:
        raise BadIncident(f"--{name} has {len(text):,} characters; at most {limit:,} are kept")
    if not text.isprintable():
        raise BadIncident(f"--{name} holds a control or direction character; write it in one line of plain text")
