"""``consentkit consent stats``: how often the banner was shown, accepted, refused, changed and withdrawn.

Owns what is printed. The counts are the archive's; they hold no one, so no purpose is asked for.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import click
import msgspec

from consentkit.archive.consentrates import BY, rates, span
from consentkit.archive.showings import add_showings
from consentkit.cli.filters import parse_time
from consentkit.cli.options import config_option, json_option, print_json
from consentkit.cli.session import Session
from consentkit.consent.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from consentkit.archive.consentrates import By, RateRow

_DAY_US: Final = 86_400_000_000
_EPOCH: Final = date(1970, 1, 1)

# Room for the widest table: a number that is cut short would be another number.
_WIDTH: Final = 200

_SHARED: Final = (
    "Pages whose markup is the same for all (a cache may keep them) are counted apart: who saw the banner in them"
    " is not known, so no share of answers is told where there are any."
)


@click.command()
@config_option
@click.option("--since", metavar="TIME", help="From this day: ISO 8601, or 7d, 4w ago. Days are in UTC.")
@click.option("--until", metavar="TIME", help="Before this time; a day that has begun by then is whole.")
@click.option(
    "--by",
    multiple=True,
    type=click.Choice(BY),
    default=("day",),
    show_default=True,
    help="What is told apart; may be repeated.",
)
@json_option
def stats(*, config: Path | None, since: str | None, until: str | None, by: tuple[By, ...], as_json: bool) -> None:
    """Show how often the banner was shown, and how it was answered.

    Pages are counted, not people. Without --by category an answer counts once, as a whole: accepted is
    everything, refused is nothing, "in part" is the rest. "By form" is without a script.
    """
    session = Session(config)
    add_showings(session.control, session.settings.storage.directory)  # what the ingester would do within a minute
    first = _day(parse_time("since", since)) if since else date.min
    after = _day(parse_time("until", until) + _DAY_US - 1) if until else date.max
    found = rates(session.control, first, after, by)
    if as_json:
        for row in found:
            print_json(_fields(row, by))
    elif found:
        _print_table(found, by)
    if not found:
        click.echo(_why_empty(session), err=True)
    elif not as_json and any(row.shown_shared for row in found):
        click.echo(_SHARED, err=True)


def _day(time_us: int) -> date:
    return _EPOCH + timedelta(days=min(max(time_us // _DAY_US, 0), (date.max - _EPOCH).days))


def _fields(row: RateRow, by: Sequence[By]) -> dict[str, object]:
    fields = msgspec.structs.asdict(row)
    counted = {name: value for name, value in fields.items() if name in by or name not in BY}
    return {**counted, "accepted_share": row.accepted_share, "answered_share": row.answered_share}


def _print_table(found: Sequence[RateRow], by: Sequence[By]) -> None:
    from rich.console import Console  # noqa: PLC0415 - --json and --help do without
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    told = [name for name in BY if name in by]
    has_shared = any(row.shown_shared for row in found)
    table = Table(*told, box=None, pad_edge=False)
    numbers = ["shown", *(["for all"] if has_shared else []), "accepted"]
    numbers += [*(["in part"] if "category" not in by else []), "refused", "changed", "withdrawn"]
    for name in (*numbers, "by form", "accepted %", "answered %"):
        table.add_column(name, justify="right")
    for row in found:
        counts = [row.shown, *([row.shown_shared] if has_shared else []), row.accepted]
        counts += [*([row.partly] if "category" not in by else []), row.refused, row.changed, row.withdrawn]
        shares = [_percent(row.accepted_share), _percent(row.answered_share)]
        cells = [*(f"{count:,}" for count in (*counts, row.unscripted)), *shares]
        table.add_row(*(Text(_label(row, name)) for name in told), *cells)
    Console(highlight=False, soft_wrap=True, width=_WIDTH).print(table)


def _label(row: RateRow, name: By) -> str:
    if name == "script":
        return "script" if row.script else "form"
    label: str | None = getattr(row, name)
    return label or "-"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _why_empty(session: Session) -> str:
    counted = span(session.control)
    if counted is not None:
        today = datetime.now(UTC).date()
        return (
            f"Nothing was counted in these days. There are counts from {counted.first} to {counted.last};"
            f" today is {today} (UTC)."
        )
    if session.settings.consent.deny_only:
        return "Nothing is counted: [consent] deny_only is on, so visitors are asked nothing."
    if not Registry.build(session.settings).categories:
        return "Nothing is counted: all declared cookies are necessary, so visitors are asked nothing."
    return (
        "Nothing is counted yet: no page with the banner has gone out to a visitor who had not answered,"
        " and nobody has answered. Pages count from a second after they were sent."
    )
