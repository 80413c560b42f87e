"""The page of a bundle that people read: what is held and why, the time line, and what stands out.

Owns its markup. It is one file that loads nothing and runs nothing, and prints. Everything in it is escaped:
paths, agents and reasons were written by strangers. What it shows in part stands whole in the files beside it.
"""

from __future__ import annotations

import json
from html import escape
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from consentkit.archive.incident.chart import bars, legend, svg
from consentkit.archive.incident.pieces import CLASSES
from consentkit.archive.store.interface import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from consentkit.archive.bundle import Member
    from consentkit.archive.incident.reading import Count, Counts, Hour
    from consentkit.audit import AuditEntry
    from consentkit.requestlog.record import Gap

_BAD: Final = "DOES NOT HOLD"

_SHOWN: Final = 20
_SHOWN_ENTRIES: Final = 500
_SHOWN_GAPS: Final = 200

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem;
  color: #111; background: #fff }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100%; margin-bottom: 1rem }
th, td { text-align: start; vertical-align: top;
  padding: .2rem .6rem .2rem 0; border-bottom: 1px solid #ddd; overflow-wrap: anywhere }
td.number, th.number { text-align: end; white-space: nowrap } caption { text-align: start; font-weight: 600 }
svg { width: 100%; height: auto; font-size: 12px } .bad { color: #b91c1c; font-weight: 600 }
.legend { list-style: none; padding: 0; display: flex; gap: 1rem; flex-wrap: wrap }
.key { display: inline-block; width: 1em; height: 1em; margin-inline-end: .3em; border: 1px solid #111;
  print-color-adjust: exact }
@media print { body { margin: 0; max-width: none } h2 { break-after: avoid } tr, svg { break-inside: avoid } }
"""

_HEAD: Final = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
)


class Report(NamedTuple):
    """What the page tells.

    Attributes:
        operator: whose site it is.
        about: as in the manifest.
        counts, hours, gaps: of the rows.
        entries: the journal.
        files: of the bundle so far.
    """

    operator: str
    about: Mapping[str, object]
    counts: Counts
    hours: Sequence[Hour]
    gaps: Sequence[Gap]
    entries: Sequence[AuditEntry]
    files: Sequence[Member]


def page(report: Report) -> bytes:
    """Return the page."""
    title = f"Incident {report.about['incident']}: {report.about['case']}"
    parts = [
        _HEAD,
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body><h1>{_text(title)}</h1>",
        _facts(report),
        _verification(report.about),
        _timeline(report.hours),
        _top(report.counts),
        _gaps(report.gaps),
        _journal(report.entries),
        _files(report.files),
        "</body></html>\n",
    ]
    return "".join(parts).encode("utf-8", "replace")


def _facts(report: Report) -> str:
    about, counts = report.about, report.counts
    filters = json.dumps(about["filters"], ensure_ascii=False, sort_keys=True)
    rows: list[tuple[object, ...]] = [
        ("Operator", report.operator),
        ("Why the rows are held", about["reason"]),
        ("Owner", about["owner"]),
        ("Opened", about["opened"]),
        ("To be reviewed by", about["review"]),
        ("Found by", "all rows" if filters == "{}" else filters),
        ("Rows", f"{counts.rows:,} of {counts.clients:,} addresses"),
        ("From, to", f"{counts.first} – {counts.last}" if counts.rows else "no rows"),
        ("This copy is for", about["recipient"] or "the one who made it"),
        ("This copy must be destroyed by", about["destroy_by"]),
    ]
    return _table("What is held", (), rows)


def _verification(about: Mapping[str, object]) -> str:
    found = about["verification"]
    checks = found if isinstance(found, dict) else {}
    rows = [(what, _verdict(checks.get(name))) for what, name in _CHECKED.items()]
    return f"<h2>Verification</h2>{_table('When this bundle was made', ('what', 'result'), rows)}"


_CHECKED: Final = {
    "the incident's file: hash and digest": "incident",
    "the audit's chain": "audit",
    "the whole log, when it was last verified": "log",
}


def _verdict(check: object) -> str:
    if not isinstance(check, dict):
        return "never verified"
    when = f"{check['time']}: " if "time" in check else ""
    faults = check.get("faults") or ([check["fault"]] if check.get("fault") else [])
    return when + ("holds" if check["holds"] else f"{_BAD}: {'; '.join(map(str, faults))}")


def _timeline(hours: Sequence[Hour]) -> str:
    found = bars(hours)
    head = ("from (UTC)", *CLASSES.values(), "all")
    rows = [(bar.label, *(f"{bar.by_class.get(one, 0):,}" for one in CLASSES), f"{bar.total:,}") for bar in found]
    table = _table("Requests by class of status", head, (row for row in rows if row[-1] != "0"))
    return f"<h2>Time line</h2>{svg(found)}{legend()}{table}"


def _top(counts: Counts) -> str:
    lists = {
        "By day": counts.days,
        "By status": counts.statuses,
        "Busiest addresses": counts.addresses,
        "Most requested paths": counts.paths,
        "Most frequent user agents": counts.agents,
        "Countries": counts.countries,
    }
    tables = (_counted(caption, found) for caption, found in lists.items())
    return f"<h2>Counts</h2>{''.join(tables)}"


def _counted(caption: str, found: Sequence[Count]) -> str:
    more = len(found) - _SHOWN
    rows = [(count.value or "–", f"{count.requests:,}") for count in found[:_SHOWN]]
    return _table(caption, ("value", "requests"), rows) + (
        f"<p>and {more} more in counts.json</p>" if more > 0 else ""
    )


def _gaps(gaps: Sequence[Gap]) -> str:
    if not gaps:
        return "<h2>Gaps in the log</h2><p>None in this time.</p>"
    rows = (
        (iso_time(gap.since_us), iso_time(gap.until_us), gap.reason, gap.network or "all", f"{gap.lost:,}")
        for gap in gaps[:_SHOWN_GAPS]
    )
    head = ("from", "to", "reason", "network", "requests lost")
    return f"<h2>Gaps in the log</h2>{_table(f'{len(gaps):,} gaps; all in gaps.json', head, rows)}"


def _journal(entries: Sequence[AuditEntry]) -> str:
    told = (entry for entry in entries if not entry.action.endswith(".page"))
    rows = (
        (str(entry.number), iso_time(entry.time_us)[:19], entry.actor, entry.action, entry.purpose, entry.reason)
        for entry in islice(told, _SHOWN_ENTRIES)
    )
    head = ("entry", "time (UTC)", "who", "what", "purpose", "why")
    return f"<h2>Journal</h2>{_table('From the audit; all entries in journal.json', head, rows)}"


def _files(files: Sequence[Member]) -> str:
    rows = ((member.name, f"{member.bytes:,}", member.sha256) for member in files)
    table = _table("signature.json signs manifest.json, which names them all", ("file", "bytes", "SHA-256"), rows)
    return f"<h2>Files</h2>{table}"


def _table(caption: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; one without a head has names of rows in its first column."""
    body = "".join(f"<tr>{_row(row, is_named=not head)}</tr>" for row in rows)
    names = "".join(f'<th scope="col"{_NUMBER if name in _NUMBERS else ""}>{_text(name)}</th>' for name in head)
    top = f"<thead><tr>{names}</tr></thead>" if head else ""
    return f"<table><caption>{_text(caption)}</caption>{top}<tbody>{body}</tbody></table>"


_NUMBER: Final = ' class="number"'
_NUMBERS: Final = frozenset((*CLASSES.values(), "all", "bytes", "requests", "requests lost"))


def _row(row: Sequence[object], *, is_named: bool) -> str:
    first, *others = row
    start = f'<th scope="row">{_text(first)}</th>' if is_named else f"<td>{_text(first)}</td>"
    return start + "".join(map(_cell, others))


def _cell(value: object) -> str:
    text = str(value)
    is_number = text.replace(",", "").isdecimal()
    kind = _NUMBER if is_number else ' class="bad"' if text.startswith(_BAD) else ""
    return f"<td{kind}>{_text(text)}</td>"


def _text(value: object) -> str:
    """Return text that is neither markup nor turns the text around it."""
    return escape("".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in str(value)))
