"""``consentkit destroy``: the end of a service: hand everything over, read it back, destroy the rest.

Owns what is asked and printed, and where archive and certificate go. What is in them, and the order of the
destruction, is the archive's job.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from consentkit import audit, signing
from consentkit.archive.bundle import Bundle, check
from consentkit.archive.export import NewFile
from consentkit.archive.farewell.contents import write_everything
from consentkit.archive.farewell.destruction import (
    Ending,
    HandedOver,
    SignedCertificate,
    announce,
    begun,
    destroy_everything,
)
from consentkit.archive.farewell.stillness import alone
from consentkit.cli.options import config_option
from consentkit.cli.session import Session, look_options, make_look
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consentkit.archive.holdings import Holdings
    from consentkit.audit import Look, Purpose


@click.command()
@config_option
@look_options
@click.option(
    "--export",
    "output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The archive: a new file, on another disk.",
)
@click.option("--for", "recipient", default="", metavar="WHOM", help="Who gets the archive, for the register.")
@click.option("--yes", is_flag=True, help="Destroy without asking, once the archive was read back.")
def destroy(
    *, config: Path | None, purpose: Purpose, reason: str, case: str, output: Path, recipient: str, yes: bool
) -> None:
    """Hand everything over in one archive, then destroy all keys, and print the certificate.

    The archive is read back and checked before anything goes. Open incidents are holds: they stay. Run it again
    if it was interrupted: it goes on where it stopped.
    """
    session = Session(config)
    holdings = session.holdings
    _refuse_inside(output, holdings)
    look = make_look(purpose, reason, case)
    with alone(session.settings, holdings):
        handed_over = begun(holdings)
        if handed_over is not None:
            _check_same(output, handed_over)
        ending = Ending(
            operator=session.settings.site.operator,
            retention_days=session.settings.requestlog.retention_days,
            actor=session.actor,
            reason=reason,
            handed_over=handed_over or _hand_over(session, holdings, look, output, recipient),
        )
        if handed_over is None:
            if not yes and not _asked(ending.handed_over, output):
                click.echo("Nothing was destroyed; the archive stays.")
                return
            announce(holdings, ending)
        with _progress() as advance:
            destroy_everything(
                holdings,
                ending,
                keep=lambda signed: _keep(signed, output),
                each=lambda what: advance(f"destroying {what}"),
            )
    click.echo(msgspec.json.decode(_certificate_path(output).read_bytes(), type=SignedCertificate).certificate)
    click.echo(f"Destroyed. The certificate lies, signed, at {_certificate_path(output)}.", err=True)


def _refuse_inside(output: Path, holdings: Holdings) -> None:
    place = output.absolute().resolve()
    for folder in (holdings.directory, holdings.keyring.folder):
        if place.is_relative_to(folder.resolve()):
            raise click.BadParameter(
                f"lies in {folder}, which is destroyed; name another place", param_hint="--export"
            )


def _hand_over(session: Session, holdings: Holdings, look: Look, output: Path, recipient: str) -> HandedOver:
    """Write the archive, read it back, and enter it into the register of copies."""
    audit.record(session.control, session.actor, "service.export", look=look, detail={"output": str(output)})
    signing.sign(session.control, session.keyring, b"")  # the key is made before it is published in the archive
    with session.control.transaction() as connection:
        keys = signing.public_keys(connection)
    with NewFile(output) as file, _progress() as advance:
        bundle = Bundle(
            file, kind="handover", operator=session.settings.site.operator, about={"reason": look.reason}
        )
        rows = write_everything(
            bundle,
            session.settings,
            holdings,
            each=lambda name, count: advance(f"{name}: {count:,} rows, {bundle.size_bytes:,} bytes in all"),
        )
        manifest = bundle.finish(lambda data: signing.sign(session.control, session.keyring, data), keys)
        file.settle()
        copy = audit.record(
            session.control,
            session.actor,
            "copy.made",
            look=look,
            detail={
                "format": "bundle",
                "output": str(output.absolute()),
                "recipient": recipient,
                "rows": rows,
                "bytes": bundle.size_bytes,
                "sha256": bundle.sha256,
                "destroy_by": "",
                "is_whole": True,
            },
            rows=rows,
        )
        file.publish()
        advance("reading the archive back")
        _read_back(output, bundle, keys)
    choices = next(member.rows for member in manifest.files if member.name == "choices.ndjson") or 0
    click.echo(
        f"Copy {copy.number}: {rows:,} requests, {choices:,} choices, {bundle.size_bytes:,} bytes", err=True
    )
    click.echo(f"SHA-256 {bundle.sha256}; read back, whole and signed.", err=True)
    return HandedOver(
        sha256=bundle.sha256, bytes=bundle.size_bytes, requests=rows, choices=choices, copy=copy.number
    )


def _read_back(output: Path, bundle: Bundle, keys: list[signing.PublicKey]) -> None:
    check(output, keys)
    if _sha256(output) != bundle.sha256:
        raise StorageError(str(output), "is not what was written; nothing was destroyed; use another disk")


def _check_same(output: Path, handed_over: HandedOver) -> None:
    if not output.exists() or _sha256(output) != handed_over.sha256:
        raise StorageError(
            str(output),
            f"is not the archive of the destruction that was begun (copy {handed_over.copy}); name that one",
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _asked(handed_over: HandedOver, output: Path) -> bool:
    click.echo(f"All that consentkit keeps is in {output}. Keep it where it can't be lost.", err=True)
    what = f"{handed_over.requests:,} requests, {handed_over.choices:,} choices and all keys"
    return click.confirm(f"Destroy {what}? It can't be undone", err=True)


def _keep(signed: SignedCertificate, output: Path) -> None:
    path = _certificate_path(output)
    path.unlink(missing_ok=True)  # of a run that was interrupted after it was written
    with NewFile(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(signed), indent=2) + b"\n")
        file.settle()
        file.publish()


def _certificate_path(output: Path) -> Path:
    return output.with_name(f"{output.name}.certificate.json")


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Show what is being done on standard error, if a person is there to see it."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 (most runs have no terminal)

    with Console(stderr=True).status("") as shown:
        yield shown.update
