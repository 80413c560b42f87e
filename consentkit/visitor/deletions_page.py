"""The page of deletions: which period's log was destroyed when, a month at a time.

Owns the page's view. What was destroyed is read from what custody publishes: no row, no number of rows, nobody's
name. Source: GDPR art. 5(2).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.visitor.notice.log import retention_text

if TYPE_CHECKING:
    from consentkit.archive.published import Deletions, Destroyed
    from consentkit.visitor.shell import Shell
    from consentkit.web.texts import Catalogue

_MONTH: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_SHOWN_OF_HASH: Final = 12

# An ingester looks each minute. What is a day late is told to visitors too.
_LATE: Final = timedelta(days=1)


class DeletionView(msgspec.Struct, frozen=True):
    """Describe one period that was destroyed.

    Attributes:
        period: the day, or the day and its hour.
        at: when, UTC.
        is_early: it went before its day.
        certificate: the beginning of the hash of its certificate; empty where the audit has none any more.
        hash: all of it.
    """

    period: str
    at: str
    is_early: bool
    certificate: str
    hash: str


class MonthLink(msgspec.Struct, frozen=True):
    """Link to the deletions of another month's log."""

    name: str
    url: str


class DeletionsView(msgspec.Struct, frozen=True, kw_only=True):
    """Give ``deletions.html`` its own part.

    Attributes:
        title: what the page is called.
        promise: how old a record gets.
        last: when something was destroyed last; says so where nothing was yet.
        next: when the next goes, or that it is late; empty where nothing is kept.
        is_late: it should have gone.
        month: whose log is listed.
        deletions: of it, the newest first.
        newer, older: the months beside it; None = there is none.
        unlisted: says that there are older ones; empty = there are none.
    """

    title: str
    promise: str
    last: str
    next: str
    is_late: bool
    month: str
    deletions: tuple[DeletionView, ...]
    newer: MonthLink | None
    older: MonthLink | None
    unlisted: str


class DeletionsPage:
    """Render the page of deletions.

    Args:
        shell: the frame, with the catalogues.
        retention_days: in force.
    """

    def __init__(self, shell: Shell, *, mount: str, retention_days: int) -> None:
        self._shell = shell
        self._mount = mount
        self._retention_days = retention_days

    def render_deletions(
        self,
        language: str,
        deletions: Deletions,
        *,
        month: str = "",
        now: datetime | None = None,
        next_url: str = "/",
        root_path: str = "",
    ) -> str:
        """Return the page.

        Args:
            language: one of the site's; another gets the default.
            deletions: as published.
            month: of the log, as ``2026-11``; hostile; one without deletions gets the newest.
            now: UTC; None = now.
            next_url: where the visitor came from; a path on this site, checked by the caller.
            root_path: ASGI ``root_path``, without the mount.
        """
        say = self._shell.texts[language]
        months = list(dict.fromkeys(one.period[:7] for one in deletions.destroyed))  # the newest first
        shown = month if _MONTH.fullmatch(month) and month in months else months[0] if months else ""
        place = months.index(shown) if shown else 0
        address = f"{root_path}{self._mount}/deletions?lang={say.language}"
        is_late = deletions.next_due is not None and deletions.next_due + _LATE < (now or datetime.now(UTC))
        view = DeletionsView(
            title=say.gettext("Deletions"),
            promise=retention_text(say, self._retention_days),
            last=_last(say, deletions),
            next=_next(say, deletions, is_late=is_late),
            is_late=is_late,
            month=shown,
            deletions=tuple(_view(say, one) for one in deletions.destroyed if one.period[:7] == shown),
            newer=_link(months, place - 1, address) if place else None,
            older=_link(months, place + 1, address),
            unlisted=_unlisted(say, deletions),
        )
        return self._shell.render(
            "deletions.html", language, page="/deletions", next_url=next_url, root_path=root_path, view=view
        )


def _last(say: Catalogue, deletions: Deletions) -> str:
    if not deletions.destroyed:
        return say.gettext("Nothing was destroyed yet.")
    last = max(one.at for one in deletions.destroyed)
    return say.gettext("The last deletion was on {date}.", date=say.date(last.date()))


def _next(say: Catalogue, deletions: Deletions, *, is_late: bool) -> str:
    if deletions.next_due is None:
        return ""
    day = say.date(deletions.next_due.date())
    if is_late:
        return say.gettext("A deletion was due on {date} and is not yet done.", date=day)
    return say.gettext("The next is due on {date}.", date=day)


def _unlisted(say: Catalogue, deletions: Deletions) -> str:
    if not deletions.unlisted:
        return ""
    return say.ngettext(
        "{n} older deletion is not listed any more.",
        "{n} older deletions are not listed any more.",
        deletions.unlisted,
    )


def _view(say: Catalogue, one: Destroyed) -> DeletionView:
    day = say.date(datetime.fromisoformat(one.period[:10]).date())
    hour = one.period[11:13]
    return DeletionView(
        period=f"{day}, {hour}:00–{hour}:59" if hour else day,
        at=f"{say.date(one.at.date())}, {one.at:%H:%M}",
        is_early=one.early,
        certificate=one.certificate[:_SHOWN_OF_HASH],
        hash=one.certificate,
    )


def _link(months: list[str], index: int, address: str) -> MonthLink | None:
    if not 0 <= index < len(months):
        return None
    return MonthLink(months[index], f"{address}&month={months[index]}")
