"""Kill a rotation of the keys before each of its file operations, one after the other, and look what opens.

Run as ``python -m tests.crashing FOLDER``; prints how many crashes there were. It forks, which the test's own
process, with its threads, may not.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from consentkit.crypto import Keyring, Rotation, primitives

OLD, NEW = "an old secret of more than 32 characters", "a new secret of more than 32 characters"
NAMES = ("control/control", "period/2026-11-23.1", "worker/5f0c", "evidence/2026/7")
_WATCHED = frozenset({"open", "os.link", "os.rename", "os.remove", "os.mkdir"})
_KILLED = 9


def filled(folder: Path) -> dict[str, bytes]:
    """Make a folder under the old secret, with a key of each kind; return the keys."""
    keyring = Keyring.open(folder, (OLD,))
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    return {name: keyring.make(name) for name in NAMES}


def opened(folder: Path, *secrets: str) -> dict[str, bytes]:
    keyring = Keyring.open(folder, secrets)
    return {name: keyring.load(name) for name in NAMES}


def _rotate_until(folder: Path, number: int, *, new_root: bool) -> bool:
    """Rotate in a child that dies before its file operation of that number; return whether it died."""
    child = os.fork()
    if not child:
        left = number

        def count(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            if event in _WATCHED and str(arguments[0]).startswith(str(folder)):
                left -= 1
                if left < 0:
                    os._exit(_KILLED)

        keyring = Keyring.open(folder, (OLD, NEW))
        sys.addaudithook(count)
        for _ in Rotation(keyring, new_root=new_root).steps():
            pass
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == _KILLED


def main(folder: Path) -> None:
    primitives._SCRYPT_N = 2  # type: ignore[misc]  # a few hundred openings; what they cost is not the question
    base = folder / "base"
    keys = filled(base)
    for new_root in (False, True):
        number = 0
        while True:
            copy = folder / f"{new_root}-{number}"
            shutil.copytree(base, copy)
            running = Keyring.open(copy, (OLD, NEW))
            died = _rotate_until(copy, number, new_root=new_root)
            assert opened(copy, OLD, NEW) == keys, (new_root, number)
            made = running.make("worker/later")
            for _ in Rotation(Keyring.open(copy, (OLD, NEW)), new_root=new_root).steps():
                pass
            assert opened(copy, NEW) == keys, (new_root, number)
            assert Keyring.open(copy, (NEW,)).load("worker/later") == made
            assert not Keyring.open(copy, (NEW,)).rotation_is_unfinished
            assert not list(copy.rglob("*.draft")), (new_root, number)
            if not died:
                break
            number += 1
        print(number)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
