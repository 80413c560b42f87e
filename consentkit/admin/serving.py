"""Answering a person's request from the admin area: the file that is handed over, the erasure, the certificate.

Owns where a file lies until it is sent, and that what was done is noted with the request. What is in it and how
rows go is the archive's job.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.archive.destruction import iso_second
from consentkit.archive.erasure import Erasure
from consentkit.archive.export.newfile import NewFile
from consentkit.archive.subject.certificate import DONE
from consentkit.archive.subject.choices import Proof, erase_choices, proof_of
from consentkit.archive.subject.export import SubjectExport, Terms
from consentkit.archive.subject.place import ErasureOrder
from consentkit.archive.subject.register import note_done
from consentkit.audit import AuditEntry, Listing, listed
from consentkit.signing import Signature, sign

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.admin.office import Office
    from consentkit.archive.subject.person import Person
    from consentkit.archive.subject.requests import SubjectRequest
    from consentkit.audit import Actor

# Workers let go of a segment within a minute; what still lies in one then is in the certificate.
_SPOOL_SECONDS: Final = 20.0

# What a crash left of answers that were being sent.
_LEFT_SECONDS: Final = 3600
_DRAFT: Final = ".answer-"


class SignedCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate as a file; `certificate` is signed as JSON without white space, keys in order."""

    certificate: dict[str, object]
    signature: Signature


def kept_proof(office: Office, request: SubjectRequest) -> Proof | None:
    """Return what is kept of the choices of who asks; None where that is nothing, or no consent id is known."""
    chooser = request.chooser
    return proof_of(office.control, chooser, office.settings, time.time_ns() // 1000) if chooser else None


def write_answer(
    office: Office, actor: Actor, request: SubjectRequest, person: Person, language: str
) -> Path | None:
    """Write an answer and enter it into the register of copies; None where no choice is kept.

    Returns:
        The finished file, to be removed once it is sent.

    Raises:
        StorageError, KeyUnavailable: a place can't be read, or the file not be written.
    """
    proof = kept_proof(office, request) if person.consent_id else None
    if person.consent_id and proof is None:
        return None
    directory = office.settings.storage.directory
    _clear(directory)
    path = directory / f"{_DRAFT}{request.number}-{secrets.token_hex(8)}.zip"
    terms = Terms(
        actor=actor,
        look=request.look,
        output=f"request-{request.number}.zip",
        recipient="the person",
        destroy_by=None,
        language=language,
    )
    with NewFile(path) as file:
        run = SubjectExport(office.holdings, office.settings, person, terms, proof=proof)
        run.write(file)
        file.settle()
        copy = run.register()
        file.publish()
    note_done(office.control, actor, request.number, copy=copy.number)
    return path


def _clear(directory: Path) -> None:
    """Remove what crashes left of answers, so that no row outlives its day there."""
    for left in directory.glob(f"{_DRAFT}*"):
        if time.time() - left.stat().st_mtime > _LEFT_SECONDS:
            left.unlink(missing_ok=True)


def erase_for(office: Office, actor: Actor, request: SubjectRequest, released: frozenset[int]) -> None:
    """Erase what is kept of a person, in incidents that are released too, and note the certificates.

    Raises:
        StorageError, KeyUnavailable: a place refuses; erasing again goes on there.
    """
    if (visitor := request.visitor) is not None:
        order = ErasureOrder(
            person=visitor, actor=actor, look=request.look, released=released, spool_seconds=_SPOOL_SECONDS
        )
        run = Erasure(office.holdings, office.settings.requestlog, order)
        for _ in run.run():
            pass
        if run.certificate is not None:
            note_done(office.control, actor, request.number, certificate=run.certificate.number)
    chooser, proof = request.chooser, kept_proof(office, request)
    if chooser is not None and proof is not None:
        look = request.look
        made = erase_choices(office.control, office.keyring, chooser, proof, actor=actor, look=look)
        note_done(office.control, actor, request.number, choices_certificate=made.number)


def signed_certificate(office: Office, number: int) -> bytes | None:
    """Return a certificate of an erasure as a file; None where the audit has none of this number any more."""
    entry: AuditEntry | None = next(listed(office.control, Listing(action=DONE), limit=1, before=number + 1), None)
    if entry is None or entry.number != number:
        return None  # pruned
    content: dict[str, object] = {
        **msgspec.structs.asdict(entry),
        "time": iso_second(entry.time_us),
        "detail": msgspec.json.decode(entry.detail),
        "detail_text": entry.detail,  # as it is hashed
    }
    signature = sign(office.control, office.keyring, msgspec.json.encode(content, order="sorted"))
    return msgspec.json.format(msgspec.json.encode(SignedCertificate(certificate=content, signature=signature)))
