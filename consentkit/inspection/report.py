"""The dated report of an inspection: JSON for machines, and a page of HTML that prints and needs nothing else.

Owns its contents and how it is written. Names in it come from outside and are escaped; values are none in it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from consentkit.errors import StorageError
from consentkit.inspection.findings import Declarations, Finding, Verdict
from consentkit.inspection.observed import VISITORS, Visitor, Walk, clipped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from pathlib import Path

TEMPLATE: Final = "consentkit/inspect.html"

VISITOR_WORDS: Final[Mapping[Visitor, str]] = {
    "undecided": "has not answered",
    "refusing": "refused everything",
    "withdrawn": "accepted, then withdrew",
    "gpc": "sends Global Privacy Control",
    "accepting": "accepted everything",
}
_UNSEEN: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was met, and by whom.

    Attributes:
        kind: ``cookie``, ``localStorage``, ``sessionStorage`` or ``host``.
        name, where: hostile.
        category: declared; empty = none.
        lives: in words, for a cookie.
        verdicts: by visitor; those who did not meet it are left out.
    """

    kind: str
    name: str
    where: str
    category: str = ""
    lives: str = ""
    verdicts: dict[Visitor, Verdict]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One inspection.

    Attributes:
        made: UTC, ISO 8601, to the minute.
        site: origin and path of the first page.
        operator: as in the settings; empty where there are none.
        means: the browser, or that it was none.
        version: of consentkit.
        is_judged: it was held against the settings' declarations.
        findings: what should not be.
        rows: all that was met.
        walks: the visitors' ways.
    """

    made: str
    site: str
    operator: str
    means: Literal["browser", "application"]
    browser: str
    version: str
    is_judged: bool
    findings: tuple[Finding, ...]
    rows: tuple[Row, ...]
    walks: tuple[Walk, ...]


def rows_of(walks: Sequence[Walk], declared: Declarations | None) -> tuple[Row, ...]:
    """Return all that was met, a row each, with how it stands for each visitor who met it.

    Args:
        walks: of the visitors.
        declared: None = nothing is judged.
    """
    rows: dict[tuple[str, str, str], Row] = {}

    def enter(walk: Walk, key: tuple[str, str, str], category: str | None, lives: str = "") -> None:
        row = rows.setdefault(
            key,
            Row(
                kind=key[0], name=clipped(key[1]), where=key[2], category=category or "", lives=lives, verdicts={}
            ),
        )
        row.verdicts[walk.visitor] = declared.verdict(category, walk.visitor) if declared else "not judged"

    for walk in walks:
        for cookie in walk.cookies:
            found = declared.cookie(cookie) if declared else None
            enter(
                walk,
                ("cookie", cookie.name, cookie.domain),
                found.category if found else None,
                _lives(cookie.lifetime_days),
            )
        for key in walk.storage:
            enter(walk, (key.area, key.key, key.host), declared.storage(key) if declared else None)
        for host in walk.hosts:
            enter(walk, ("host", host.host, ""), declared.host(host) if declared else None)
    return tuple(rows.values())


def write_report(report: Report, templates: Path, *, output: Path | None, today: date) -> tuple[Path, Path]:
    """Write both files and return their paths, the page's first.

    Args:
        report: the inspection.
        templates: the folder that holds ``consentkit/inspect.html``.
        output: a folder, or the page's file, which is replaced; None = the working directory. In a folder the name
            is ``inspect-YYYY-MM-DD.html``, with a number where there is one of that day.
        today: in UTC.

    Raises:
        StorageError: they can't be written.
    """
    page = _place(output, today)
    data = page.with_suffix(".json")
    try:
        data.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
        page.write_text(render(report, templates), encoding="utf-8", errors="replace")
    except OSError as exc:
        raise StorageError(str(page), f"the report can't be written ({exc.strerror})") from exc
    return page, data


def render(report: Report, templates: Path) -> str:
    """Return the page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - with the page alone

    environment = Environment(
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["seen"] = visible
    return environment.get_template(TEMPLATE).render(report=report, visitors=VISITORS, words=VISITOR_WORDS)


def visible(text: str) -> str:
    """Return a text from outside with what can't be seen, or turns the line around, written as a code."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _place(output: Path | None, today: date) -> Path:
    from pathlib import Path  # noqa: PLC0415 - elsewhere for types alone

    if output is not None and not output.is_dir():
        return output if output.suffix == ".html" else output.with_name(f"{output.name}.html")
    folder = Path() if output is None else output
    base = f"inspect-{today.isoformat()}"
    number = 1
    while True:
        path = folder / (f"{base}.html" if number == 1 else f"{base}-{number}.html")
        if not path.exists() and not path.with_suffix(".json").exists():
            return path
        number += 1


def _lives(days: float | None) -> str:
    if days is None:
        return "session"
    return f"{days * 24:.0f} h" if days < 2 else f"{days:.0f} days"
