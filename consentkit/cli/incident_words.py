"""How ``consentkit incident`` shows what it knows: fields for programs, tables for people.

Owns that nothing a stranger wrote moves the cursor of the terminal that shows it.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import click
import msgspec

from consentkit.archive.incident.pieces import entry_fields
from consentkit.archive.incident.reading import Count
from consentkit.archive.store.interface import iso_time
from consentkit.requestlog.truncate import network_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    from rich.table import Table

    from consentkit.archive.incident.listing import Incident
    from consentkit.archive.incident.reading import Counts
    from consentkit.archive.store.interface import FoundRequest
    from consentkit.audit import AuditEntry


def incident_fields(incident: Incident, today: date) -> dict[str, object]:
    """Return what is listed of an incident: no row's content."""
    return {
        "kind": "incident",
        "number": incident.number,
        "case": incident.case_id,
        "state": incident.state,
        "rows": incident.rows,
        "bytes": incident.bytes,
        "owner": incident.owner,
        "reason": incident.reason,
        "opened": iso_time(incident.opened_us),
        "review": incident.review,
        "overdue": incident.is_overdue(today),
        "filters": msgspec.json.decode(incident.filters),
        "file_hash": incident.file_hash,
        "closed": None if incident.closed_us is None else iso_time(incident.closed_us),
    }


def certificate_fields(entry: AuditEntry) -> dict[str, object]:
    """Return a certificate as it stands in the audit."""
    said = msgspec.json.decode(entry.detail, type=dict[str, object])
    told = {"entry": entry.number, "time": iso_time(entry.time_us), "actor": entry.actor, "reason": entry.reason}
    return {"kind": "certificate", **said, **told, "hash": entry.hash}


def counts_fields(counts: Counts, *, is_masked: bool) -> dict[str, object]:
    """Return what the rows add up to; addresses as networks where they are masked."""
    fields = msgspec.to_builtins(_masked(counts) if is_masked else counts)
    return {"kind": "counts", "masked": is_masked, **fields}


def print_incidents(found: Sequence[Incident], today: date) -> None:
    """Print the list."""
    table = _table("number", "case", "state", "rows", "owner", "opened", "review")
    for one in found:
        review = f"{one.review} OVERDUE" if one.is_overdue(today) else one.review if one.state == "open" else ""
        opened = iso_time(one.opened_us)[:10]
        _add(table, str(one.number), one.case_id, one.state, f"{one.rows:,}", one.owner, opened, review)
    _print(table)


def print_incident(incident: Incident, today: date) -> None:
    """Print one incident's terms."""
    table = _table("", "")
    for name, value in incident_fields(incident, today).items():
        if name != "kind" and value is not None:
            _add(table, name, f"{value:,}" if isinstance(value, int) and name in ("rows", "bytes") else str(value))
    _print(table)


def print_counts(counts: Counts, *, is_masked: bool) -> None:
    """Print what the rows add up to."""
    shown = _masked(counts) if is_masked else counts
    click.echo(f"\n{shown.rows:,} rows of {shown.clients:,} addresses, {shown.first[:19]} to {shown.last[:19]}")
    lists = {
        "day": shown.days,
        "status": shown.statuses,
        "network" if is_masked else "address": shown.addresses,
        "path": shown.paths,
        "user agent": shown.agents,
    }
    for name, found in lists.items():
        table = _table(name, "requests")
        for count in found:
            _add(table, count.value or "-", f"{count.requests:,}")
        click.echo()
        _print(table)
    if is_masked:
        click.echo("Addresses are shown as networks; --purpose shows them whole, and is recorded.")


def print_journal(entries: Sequence[AuditEntry], *, as_json: bool) -> None:
    """Print what was done for the case, oldest first; pages alone are counted for people."""
    if as_json:
        for entry in entries:
            click.echo(msgspec.json.encode({"kind": "entry", **entry_fields(entry)}).decode())
        return
    table = _table("entry", "time", "who", "what", "purpose", "rows", "why")
    for entry in entries:
        time = iso_time(entry.time_us)[:19].replace("T", " ")
        rows = f"{entry.rows:,}" if entry.rows else ""
        _add(table, str(entry.number), time, entry.actor, entry.action, entry.purpose, rows, entry.reason)
    click.echo()
    _print(table)


def row_line(found: FoundRequest) -> str:
    """Return one row for people."""
    line = (
        f"{found.time[:19].replace('T', ' ')}  {found.client_address or '-':<15}  {found.status:>3}  "
        f"{found.method or found.scheme.upper():<6} {found.host}{found.url}  [{found.user_agent}]"
    )
    return shown(line)


def shown(text: str) -> str:
    """Return text that prints as one line and moves nothing."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


@contextlib.contextmanager
def rows_progress(*, is_shown: bool = True) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how many rows are done; give what is told of each page."""
    if not is_shown or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - most runs have no terminal
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = SpinnerColumn(), TextColumn("{task.completed:,.0f} rows"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda count: bar.update(task, advance=count)


def _masked(counts: Counts) -> Counts:
    networks: dict[str, int] = {}
    for count in counts.addresses:
        network = network_of(count.value)
        networks[network] = networks.get(network, 0) + count.requests
    return msgspec.structs.replace(counts, addresses=[Count(*one) for one in networks.items()])


def _table(*names: str) -> Table:
    from rich.table import Table  # noqa: PLC0415 - --json and --help do without

    table = Table(box=None, pad_edge=False, show_header=any(names))
    for name in names:
        table.add_column(name, justify="right" if name in ("rows", "requests") else "left", overflow="fold")
    return table


def _add(table: Table, *cells: str) -> None:
    from rich.text import Text  # noqa: PLC0415

    table.add_row(*(Text(shown(cell)) for cell in cells))  # as text: brackets in a path are no markup


def _print(table: Table) -> None:
    from rich.console import Console  # noqa: PLC0415

    Console(soft_wrap=True, highlight=False).print(table)
