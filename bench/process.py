"""What another process has used: processor time and memory, as Linux counts them."""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path
from typing import Final

_libc: Final = ctypes.CDLL(None, use_errno=True)


def cpu_seconds(pid: int) -> float:
    """Return user and system time of all threads of a process, ended ones too, in nanosecond steps.

    ``/proc/PID/stat`` says the same in steps of 10 ms, too coarse for a short round.

    Raises:
        ProcessLookupError: there is no such process.

    Source: clock_getcpuclockid(3).
    """
    clock = ctypes.c_int()
    code = _libc.clock_getcpuclockid(pid, ctypes.byref(clock))
    if code:
        raise ProcessLookupError(code, os.strerror(code))
    return time.clock_gettime(clock.value)


def resident_bytes(pid: int) -> int:
    """Return the resident set of a process; 0 for one that has ended."""
    return _status_bytes(pid, "VmRSS")


def peak_resident_bytes(pid: int) -> int:
    """Return the largest resident set that a process has had; 0 for one that has ended.

    What wait4 says of an ended child is of no use: it counts the memory of its parent before the exec.
    """
    return _status_bytes(pid, "VmHWM")


def _status_bytes(pid: int, name: str) -> int:
    """Return one of the sizes of a process. Source: proc_pid_status(5)."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) * 1024
    return 0
