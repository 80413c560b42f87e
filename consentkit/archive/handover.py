"""Asking the ingester to let go of a period that it writes, so that another can seal it or write it anew.

Owns the question, which lies in one file of the data directory: whoever asks holds an exclusive flock on it and
writes the period's file name into it, so that a question dies with its process. One asks at a time: only who has
custody (`periodlock.custody`) may. The ingester looks after each round.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME: Final = "handover.lock"

_NAME_BYTES: Final = 256


@contextlib.contextmanager
def asking_for(directory: Path, file_name: str) -> Iterator[None]:
    """Ask for a period's file as long as the block lasts.

    Args:
        directory: the data directory.
        file_name: of the period's present generation.

    Raises:
        OSError: the question can't be written.
    """
    descriptor = os.open(directory / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # the ingester holds it for a moment while it looks
        os.ftruncate(descriptor, 0)
        os.write(descriptor, file_name.encode())
        yield
    finally:
        os.close(descriptor)


def asked_for(directory: Path) -> str:
    """Return the name of the file that is being asked for; empty where none is."""
    try:
        descriptor = os.open(directory / NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.read(descriptor, _NAME_BYTES).decode("utf-8", "replace")
    finally:
        os.close(descriptor)
    return ""
