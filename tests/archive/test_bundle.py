"""Bundles: what was written is proved, whatever is changed afterwards is found."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import msgspec
import pytest

from consentkit import signing
from consentkit.archive.bundle import BadBundle, Bundle, Manifest, check
from consentkit.signing import PublicKey
from tests.archive.installation import Installation


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def keys_of(installation: Installation) -> list[PublicKey]:
    with installation.control.transaction() as connection:
        return signing.public_keys(connection)


@pytest.fixture
def path(installation: Installation, tmp_path: Path) -> Path:
    path = tmp_path / "bundle.zip"
    with path.open("wb") as output:
        bundle = Bundle(output, kind="incident", operator="SIA Piemērs", about={"case": "2026-7"})
        bundle.add("rows.ndjson", (b'{"n":%d}\n' % n for n in range(1000)), counts_rows=True)
        bundle.add("notes/empty.txt", [])
        signing.sign(installation.control, installation.keyring, b"")  # makes the key
        bundle.finish(
            lambda data: signing.sign(installation.control, installation.keyring, data), keys_of(installation)
        )
        assert bundle.size_bytes == output.tell()
    return path


def test_a_bundle_proves_what_it_holds(installation: Installation, path: Path) -> None:
    manifest = check(path, keys_of(installation))
    assert (manifest.kind, manifest.operator, manifest.about) == ("incident", "SIA Piemērs", {"case": "2026-7"})
    assert [(member.name, member.rows) for member in manifest.files] == [
        ("rows.ndjson", 1000),
        ("notes/empty.txt", None),
    ]
    assert check(path) == manifest


def rewrite(path: Path, **changes: bytes | None) -> None:
    """Write the ZIP anew with files changed, left out (None) or added."""
    draft = path.with_suffix(".new")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(draft, "w") as new:
        contents: dict[str, bytes | None] = {name: old.read(name) for name in old.namelist()}
        for name, content in {**contents, **changes}.items():
            if content is not None:
                new.writestr(name, content)
    shutil.move(draft, path)


def manifest_of(path: Path) -> Manifest:
    with zipfile.ZipFile(path) as found:
        return msgspec.json.decode(found.read("manifest.json"), type=Manifest)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("rows.ndjson", b'{"n":1}\n', "rows.ndjson: is not what the manifest says"),
        ("rows.ndjson", None, "does not name exactly"),
        ("more.txt", b"x", "does not name exactly"),
        ("manifest.json", None, "manifest.json: is missing"),
        ("manifest.json", b"{", "manifest.json: is damaged"),
        ("signature.json", None, "signature.json: is missing"),
        ("signature.json", b"{}", "signature.json: is damaged"),
    ],
)
def test_what_was_changed_is_named(path: Path, name: str, content: bytes | None, fault: str) -> None:
    rewrite(path, **{name: content})
    with pytest.raises(BadBundle, match=fault):
        check(path)


def test_a_manifest_that_was_written_anew_is_not_signed(path: Path) -> None:
    forged = msgspec.structs.replace(manifest_of(path), operator="SIA Cits")
    rewrite(path, **{"manifest.json": msgspec.json.encode(forged)})
    with pytest.raises(BadBundle, match="changed since"):
        check(path)


def test_the_signature_of_another_house_is_not_believed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Installation(tmp_path / "other")
    signing.sign(other.control, other.keyring, b"")
    with pytest.raises(BadBundle, match="none of those given"):
        check(path, keys_of(other))


def test_each_byte_counts(path: Path) -> None:
    whole = path.read_bytes()
    for at in range(0, len(whole), max(len(whole) // 60, 1)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            manifest = check(path)
        except BadBundle:
            continue
        path.write_bytes(whole)
        assert manifest == check(path)  # a byte that says nothing: a time, an attribute


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"PK\x03\x04 no more")
    with pytest.raises(BadBundle, match="no whole ZIP"):
        check(tmp_path / "x")
