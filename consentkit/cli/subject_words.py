"""What ``consentkit subject`` prints of certificates, and its progress.

Owns words and shapes alone.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import click
import msgspec

from consentkit.archive.destruction import iso_second

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consentkit.archive.subject import Certificate


def certificate_fields(certificate: Certificate) -> dict[str, object]:
    """Return a certificate as it is printed with ``--json``."""
    fields: dict[str, object] = msgspec.to_builtins(certificate)
    fields["entry"] = fields.pop("number")
    fields["time"] = iso_second(certificate.time_us)
    del fields["time_us"]
    return {"kind": "certificate", **fields}


def print_certificate(certificate: Certificate) -> None:
    """Print a certificate for people."""
    click.echo(f"Certificate: entry {certificate.number} of the audit, {iso_second(certificate.time_us)}")
    click.echo(f"  {certificate.hash}")
    if certificate.by == "address":
        click.echo(f"  erased: {rows(certificate.rows)}")
    for place in certificate.places:
        name = place.period or f"incident {place.incident}"
        click.echo(f"    {name}: {rows(place.erased)} (entry {place.entry})")
    for kept in certificate.kept:
        click.echo(f"  stays: {kept_words(kept)}")
    if certificate.indistinct:
        click.echo(f"  stays: {indistinct_words(certificate.indistinct)}")
    if certificate.spooled:
        click.echo(
            f"  {rows(certificate.spooled)} of these still lie, sealed, in a segment that a worker writes;"
            " it is deleted when the worker ends it"
        )
    if certificate.copies:
        numbers = ", ".join(map(str, certificate.copies))
        click.echo(f"  registered copies that may hold them, to be destroyed by who has them: {numbers}")


def kept_words(kept: dict[str, object]) -> str:
    """Return in words what stays, why and until when."""
    if "incident" in kept:
        of = f"{kept['rows']} of incident {kept['incident']}'s copies"
        return f"{of}, held for: {kept['reason']}; looked at again on {kept['review']}"
    return f"{kept['choices']} sealed choices until {kept['until']}: {kept['reason']}"


def indistinct_words(count: int) -> str:
    """Return in words what can't be told apart."""
    return (
        f"{rows(count)} whose addresses were cut to the network: they may be theirs or anyone's in it,"
        " and nobody can tell any more (GDPR art. 11)"
    )


def rows(count: int) -> str:
    """Return a number of rows in words."""
    return "1 row" if count == 1 else f"{count:,} rows"


@contextlib.contextmanager
def rows_progress() -> Iterator[Callable[[int], None]]:
    """Show on a terminal how many rows were written."""
    with told_progress() as tell:
        written = 0

        def each(count: int) -> None:
            nonlocal written
            written += count
            tell(rows(written))

        yield each


@contextlib.contextmanager
def told_progress() -> Iterator[Callable[[str], None]]:
    """Show on standard error what is being done, if a person is there to see it."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - most runs have no terminal
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = SpinnerColumn(), TextColumn("{task.fields[shown]}"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, shown="")
        yield lambda text: bar.update(task, shown=text)
