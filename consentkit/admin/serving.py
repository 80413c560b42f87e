"""Answering a person's request from the admin area: the file that is handed over, the erasure, the certificate.

Owns that a file lies sealed until it is sent and goes with that, and that what was done is noted with the request.
What is in it and how rows go is the archive's job.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.archive.destruction import iso_second
from consentkit.archive.erasure import Erasure
from consentkit.archive.export.pending import PendingExports
from consentkit.archive.subject.certificate import DONE
from consentkit.archive.subject.choices import Proof, erase_choices, proof_of
from consentkit.archive.subject.export import SubjectExport, Terms
from consentkit.archive.subject.place import ErasureOrder
from consentkit.archive.subject.register import note_done
from consentkit.audit import AuditEntry, Listing, listed
from consentkit.errors import StorageError
from consentkit.signing import Signature, sign

if TYPE_CHECKING:
    from collections.abc import Generator

    from consentkit.admin.office import Office
    from consentkit.archive.export.pending import Waiting
    from consentkit.archive.subject.person import Person
    from consentkit.archive.subject.requests import SubjectRequest
    from consentkit.audit import Actor

# Workers let go of a segment within a minute; what still lies in one then is in the certificate.
_SPOOL_SECONDS: Final = 20.0


class Package:
    """A finished answer, to be sent once: it goes when it was sent, and within the hour where it was not.

    Args:
        exports: where it lies.
        name: its own there.
        waiting: its content.
    """

    def __init__(self, exports: PendingExports, name: str, waiting: Waiting) -> None:
        self._exports = exports
        self._name = name
        self._waiting = waiting

    @property
    def size_bytes(self) -> int:
        """How long it is."""
        return self._waiting.size_bytes

    def chunks(self) -> Generator[bytes, None, None]:
        """Yield it, a chunk at a time.

        Raises:
            StorageError: it is gone, or damaged.
        """
        return self._waiting.chunks()

    def sent(self) -> None:
        """Let it go.

        Raises:
            StorageError: its key can't be destroyed.
        """
        self._exports.remove(self._name)


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
) -> Package | None:
    """Write an answer and enter it into the register of copies; None where no choice is kept.

    Raises:
        StorageError, KeyUnavailable: a place can't be read, or the file not be written.
    """
    proof = kept_proof(office, request) if person.consent_id else None
    if person.consent_id and proof is None:
        return None
    exports = PendingExports(office.settings.storage.directory, office.keyring)
    name = exports.begin()
    terms = Terms(
        actor=actor,
        look=request.look,
        output=f"request-{request.number}.zip",
        recipient="the person",
        destroy_by=None,
        language=language,
    )
    with exports.create(name) as file:
        run = SubjectExport(office.holdings, office.settings, person, terms, proof=proof)
        run.write(file)
        file.settle()
        copy = run.register()
        file.publish()
    note_done(office.control, actor, request.number, copy=copy.number)
    waiting = exports.hand_out(name)
    if waiting is None:
        raise StorageError("the answer", "is gone before it was sent; make it anew")
    return Package(exports, name, waiting)


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
