"""``log verify --heads``: what was noted of ``heads.json`` outside, held against the chains.

Owns the option and what is printed. The comparison is the archive's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from consentkit.archive.evidence.notedheads import MAX_BYTES, BadHeads, contradicted, read_heads
from consentkit.cli.options import print_json
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from typing import BinaryIO

    from consentkit.archive.publishing import SignedHeads
    from consentkit.control import Control

heads_option = click.option(
    "--heads",
    type=click.File("rb"),
    metavar="FILE",
    help="Hold the chains against what was fetched from heads.json before, one a line; - = standard input.",
)


def read_noted(file: BinaryIO | None) -> list[SignedHeads]:
    """Return the heads that a command was given; none without a file.

    Raises:
        BadHeads: a line of it is none.
        StorageError: it can't be read.
    """
    if file is None:
        return []
    try:
        content = file.read(MAX_BYTES + 1)
    except OSError as exc:
        raise StorageError("the file of heads", f"can't be read ({exc.strerror})") from exc
    if len(content) > MAX_BYTES:
        raise BadHeads(1)
    return read_heads(content)


def check_heads(control: Control, noted: list[SignedHeads], *, as_json: bool) -> bool:
    """Print what the chains contradict of the heads given, if any were; return whether all hold."""
    if not noted:
        return True
    faults, too_old = contradicted(control, noted)
    if as_json:
        fields = {"kind": "heads", "good": not faults, "noted": len(noted), "unchecked_hashes": too_old}
        print_json({**fields, "faults": [msgspec.to_builtins(fault) for fault in faults]})
        return not faults
    for fault in faults:
        click.secho(fault.reason, fg="red")
    if too_old:
        click.echo(f"{too_old:,} hashes are older than what is kept and could not be checked.")
    if not faults:
        click.echo(f"Noted outside and not contradicted: {len(noted):,} heads.")
    return not faults
