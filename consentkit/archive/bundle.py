"""A bundle: one ZIP whose every file stands in a signed manifest, so that it proves itself anywhere.

Owns the ZIP, the manifest and the check. What goes into one is its maker's business: an incident's evidence,
a person's data, all that a service has kept.

    <files>          as they come, streamed
    manifest.json    kind, time, operator, what it is about, and of each file its size, SHA-256 and rows
    signature.json   Ed25519 over the bytes of manifest.json, with the public key
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import zipfile
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from consentkit.errors import ConsentKitError
from consentkit.signing import BadSignature, PublicKey, Signature, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "signature.json"

_FORMAT: Final = "consentkit-bundle-1"
_CHUNK_BYTES: Final = 1024 * 1024

# What a manifest may be read up to: a name and a hash for each of some 100,000 files.
_MAX_MANIFEST_BYTES: Final = 32 * 1024 * 1024


class BadBundle(ConsentKitError):
    """Report a bundle that does not prove what it says, and the first thing that fails."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a bundle.

    Attributes:
        name: within the ZIP.
        bytes: its size.
        sha256: of its content, in hexadecimal.
        rows: how many rows it holds; None where it is no list.
    """

    name: str
    bytes: int
    sha256: str
    rows: int | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle holds.

    Attributes:
        format: ``consentkit-bundle-1``.
        kind: ``handover``, ``incident`` or ``subject``.
        made: ISO 8601 in UTC.
        operator: whose data it is.
        about: what it is about; depends on the kind.
        files: in the order in which they were written.
    """

    format: str = _FORMAT
    kind: str
    made: str
    operator: str
    about: dict[str, object]
    files: tuple[Member, ...]


class _Signed(msgspec.Struct, frozen=True):
    signature: Signature
    keys: list[PublicKey]


class Output(Protocol):
    """Where a bundle is written: bytes, from first to last."""

    def write(self, data: bytes) -> object:
        """Take all of it, or raise."""


class Bundle:
    """A bundle while it is written.

    Args:
        output: takes the ZIP.
        kind, operator, about: as `Manifest` has them.
    """

    def __init__(self, output: Output, *, kind: str, operator: str, about: Mapping[str, object]) -> None:
        self._counting = _Counting(output)
        self._zip = zipfile.ZipFile(self._counting, "w", zipfile.ZIP_DEFLATED)
        self._made = datetime.now(UTC)
        self._kind = kind
        self._operator = operator
        self._about = dict(about)
        self._files: list[Member] = []

    @property
    def size_bytes(self) -> int:
        """How much was written."""
        return self._counting.bytes

    @property
    def sha256(self) -> str:
        """Of all that was written, in hexadecimal."""
        return self._counting.digest.hexdigest()

    def add(self, name: str, content: Iterable[bytes], *, counts_rows: bool = False) -> Member:
        """Write one file from pieces, none of which is kept.

        Args:
            name: within the ZIP, with forward slashes; ours, never from a request.
            content: the bytes, in order.
            counts_rows: each piece is one row.
        """
        digest, size, rows = hashlib.sha256(), 0, 0
        with self._counting.handing_on(), self._zip.open(self._info(name), "w", force_zip64=True) as file:
            for piece in content:
                file.write(piece)
                digest.update(piece)
                size += len(piece)
                rows += 1
        member = Member(name=name, bytes=size, sha256=digest.hexdigest(), rows=rows if counts_rows else None)
        self._files.append(member)
        return member

    def finish(self, sign: Callable[[bytes], Signature], keys: list[PublicKey]) -> Manifest:
        """Write manifest and signature, and end the ZIP.

        Args:
            sign: signs the manifest's bytes.
            keys: the public keys, the one that signs among them.
        """
        manifest = Manifest(
            kind=self._kind,
            made=self._made.strftime("%Y-%m-%dT%H:%M:%SZ"),
            operator=self._operator,
            about=self._about,
            files=tuple(self._files),
        )
        data = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        signed = msgspec.json.encode(_Signed(sign(data), keys))
        with self._counting.handing_on():
            self._zip.writestr(self._info(MANIFEST), data)
            self._zip.writestr(self._info(SIGNATURE), signed)
            self._zip.close()
        return manifest

    def _info(self, name: str) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name, self._made.timetuple()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o600 << 16
        return info


def check(path: Path, trusted: Iterable[PublicKey] | None = None) -> Manifest:
    """Read a bundle back from its file, and return what it proves.

    Args:
        path: the file.
        trusted: the keys that are believed; None = the one that the bundle names itself, which proves that
            it is whole and not who made it.

    Raises:
        BadBundle: names the first thing that fails.
        OSError: the file can't be read.
    """
    try:
        with zipfile.ZipFile(path) as found:
            manifest, data, signed = _read_manifest(found)
            verify(data, signed.signature, signed.keys if trusted is None else trusted)
            _check_members(found, manifest)
    except BadSignature as exc:
        raise BadBundle(f"{SIGNATURE}: {exc}") from exc
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as exc:
        raise BadBundle(f"it is no whole ZIP ({exc})") from exc
    except OSError as exc:
        if exc.errno != errno.EINVAL:
            raise
        raise BadBundle("it is no whole ZIP (it names a place outside of the file)") from exc
    return manifest


def _read_manifest(found: zipfile.ZipFile) -> tuple[Manifest, bytes, _Signed]:
    with _named(MANIFEST):
        data = _small(found, MANIFEST)
        manifest = msgspec.json.decode(data, type=Manifest)
    with _named(SIGNATURE):
        signed = msgspec.json.decode(_small(found, SIGNATURE), type=_Signed)
    if manifest.format != _FORMAT:
        raise BadBundle(f"{MANIFEST}: its format is not {_FORMAT}")
    return manifest, data, signed


def _check_members(found: zipfile.ZipFile, manifest: Manifest) -> None:
    listed = [member.name for member in manifest.files]
    if sorted([*listed, MANIFEST, SIGNATURE]) != sorted(found.namelist()):
        raise BadBundle(f"{MANIFEST}: it does not name exactly the files that are there")
    for member in manifest.files:
        digest, size = hashlib.sha256(), 0
        with _named(member.name), found.open(member.name) as file:
            for piece in iter(lambda file=file: file.read(_CHUNK_BYTES), b""):  # type: ignore[misc]
                digest.update(piece)
                size += len(piece)
        if (size, digest.hexdigest()) != (member.bytes, member.sha256):
            raise BadBundle(f"{member.name}: is not what the manifest says")


def _small(found: zipfile.ZipFile, name: str) -> bytes:
    with found.open(name) as file:
        data = file.read(_MAX_MANIFEST_BYTES + 1)
    if len(data) > _MAX_MANIFEST_BYTES:
        raise BadBundle(f"{name}: is too large")
    return data


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, msgspec.DecodeError, zipfile.BadZipFile, EOFError, zlib.error, RuntimeError) as exc:
        reason = "is missing" if isinstance(exc, KeyError) else "is damaged"
        raise BadBundle(f"{name}: {reason}") from exc


class _Counting(io.RawIOBase):
    """Hand bytes on, counted and hashed, while the bundle is written.

    A ZIP that was left unfinished writes its end when it is collected; by then its output is closed, and the
    descriptor may be another file's.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._is_open = False
        self.bytes = 0
        self.digest = hashlib.sha256()

    @contextlib.contextmanager
    def handing_on(self) -> Iterator[None]:
        self._is_open = True
        try:
            yield
        finally:
            self._is_open = False

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        pass

    def write(self, data: bytes) -> int:  # type: ignore[override]
        piece = bytes(data)
        if not self._is_open:
            return len(piece)
        self._output.write(piece)
        self.bytes += len(piece)
        self.digest.update(piece)
        return len(piece)
