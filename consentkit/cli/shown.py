"""What a look at the log shows: rows, above them what is missing, and how far it went.

Owns the words and where they go: rows to standard output, all else to standard error, so that what is piped on
is rows alone; with ``--json`` each is an object a line, the ones on standard error of one key each.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click
import msgspec

from consentkit import audit
from consentkit.archive.exposure import page_detail
from consentkit.archive.store.interface import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from consentkit.archive.search import Found, Losses
    from consentkit.archive.store import Cursor, Filters
    from consentkit.audit import Look
    from consentkit.cli.session import Session
    from consentkit.requestlog.record import Gap, GapReason
    from consentkit.requestlog.segment import FrameId

_REASONS: Final[dict[GapReason, str]] = {
    "full": "the spool was full",
    "write": "the disk refused",
    "sampled": "flood",
    "damaged": "damaged in the spool",
}

_encode = msgspec.json.Encoder().encode


def record_page(
    session: Session,
    action: str,
    look: Look,
    chosen: Mapping[str, object],
    *,
    filters: Filters,
    page: Sequence[Found],
) -> None:
    """Write a look, with which rows it shows, into the audit; only then may they be printed."""
    detail = {"filters": given(chosen), **page_detail(filters, page)}
    audit.record(session.control, session.actor, action, look=look, detail=detail, rows=len(page))


def given(chosen: Mapping[str, object]) -> dict[str, object]:
    """Return the options that were given; --no-bot is one."""
    return {name: value for name, value in chosen.items() if value is not None and value not in ("", ())}


def print_rows(rows: Iterable[Found], *, as_json: bool) -> None:
    """Print requests, each on a line."""
    for _, found in rows:
        if as_json:
            click.echo(_encode(found))
            continue
        device = " ".join(filter(None, [found.browser, found.browser_version.partition(".")[0], "·", found.os]))
        click.echo(
            f"{found.time[:19].replace('T', ' ')}  {found.client_address or '-':<15}  {found.status:>3}  "
            f"{found.method or found.scheme.upper():<6} {found.host}{found.url}  "
            f"[{found.duration_us / 1000:.1f} ms, {found.bytes_sent:,} B]  {device}"
        )


class Beside:
    """What is told beside the rows, each once.

    Attributes:
        as_json: in objects.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._told: set[FrameId] = set()
        self._losses: Losses | None = None

    def gaps(self, gaps: Mapping[FrameId, Gap], *, since_us: int = 0, until_us: int = 2**62) -> None:
        """Tell the gaps that touch a time."""
        fresh = {
            frame: gap
            for frame, gap in gaps.items()
            if frame not in self._told and gap.until_us >= since_us and gap.since_us <= until_us
        }
        self._told.update(fresh)
        self.gap_list(sorted(fresh.values(), key=lambda gap: (gap.since_us, gap.until_us)))

    def gap_list(self, gaps: Iterable[Gap]) -> None:
        """Tell gaps."""
        for gap in gaps:
            fields = {
                "since": iso_time(gap.since_us),
                "until": iso_time(gap.until_us),
                "lost": gap.lost,
                "reason": gap.reason,
                "network": gap.network,
            }
            self._tell("gap", fields, _words(gap))

    def losses(self, losses: Losses) -> None:
        """Tell what of the spool can't be read, where it is not as it was."""
        if losses == (self._losses or type(losses)()):
            return
        self._losses = losses
        words = (
            f"Of the spool can't be read: {losses.unreadable_workers} workers' folders, whose keys don't open,"
            f" and {losses.damaged_places} damaged places. `consentkit log segments` shows where."
        )
        self._tell("unreadable", msgspec.structs.asdict(losses), words)

    def restricted(self, rows: int) -> None:
        """Tell how many rows match and may only be stored."""
        if rows:
            match = "row matches and is" if rows == 1 else "rows match and are"
            words = f"{rows:,} {match} restricted (GDPR art. 18)."
            self._tell("restricted", {"rows": rows}, words)

    def goes_on(self, place: Cursor, *, oldest_first: bool, time_limit: float | None = None) -> None:
        """Tell how far a search came, and how to go on.

        Args:
            place: where it ended.
            oldest_first: it goes on with later rows.
            time_limit: seconds, where that ended it; None = it showed as many rows as it was asked for.
        """
        option, direction = ("after", "up") if oldest_first else ("before", "back")
        ended_by = "limit" if time_limit is None else "time"
        seconds = "" if time_limit is None else f" in {time_limit:g} s"
        words = f"Searched {direction} to {time_words(place.time_us)}{seconds}; continue with --{option} {place}"
        fields = {option: str(place), "ended_by": ended_by, "reached": iso_time(place.time_us)}
        self._tell("continue", fields, words)

    def note(self, kind: str, fields: Mapping[str, object], words: str) -> None:
        """Tell something else."""
        self._tell(kind, fields, words)

    def _tell(self, kind: str, fields: Mapping[str, object], words: str) -> None:
        click.echo(_encode({kind: fields}) if self.as_json else words, err=True)


def time_words(time_us: int) -> str:
    """Return an instant as people read it, in UTC."""
    return f"{iso_time(time_us)[:19].replace('T', ' ')} UTC"


def _words(gap: Gap) -> str:
    since, until = (datetime.fromtimestamp(at // 1_000_000, UTC) for at in (gap.since_us, gap.until_us))
    last = f"{until:%H:%M:%S}" if since.date() == until.date() else f"{until:%Y-%m-%d %H:%M:%S}"
    of = f" of {gap.network}" if gap.network else ""
    why = _REASONS[gap.reason]
    return f"Between {since:%Y-%m-%d %H:%M:%S} and {last} UTC {gap.lost:,} records{of} were not kept: {why}."
