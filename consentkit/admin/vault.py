"""Checking passwords without standing in the site's way.

Owns how many are checked at a time: each takes memory and a core, and who sends many of them at once must
neither exhaust the one nor hold up the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import anyio
import anyio.to_thread

from consentkit.admin import passwords

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_AT_A_TIME: Final = 2  # 128 MiB
_MAX_WAITING: Final = 8


class Busy(Exception):
    """End a request for which there is no room."""


class Vault:
    """The password checks of one worker."""

    def __init__(self) -> None:
        self._limiter: anyio.CapacityLimiter | None = None
        self._inside = 0

    async def is_right(self, password: str, hashed: str | None) -> bool:
        """Tell whether a password is right; as slow where there is no hash.

        Raises:
            Busy: too many are waiting.
        """
        return await self._run(lambda: passwords.is_right(password, hashed))

    async def hash(self, password: str) -> str:
        """Return a password's hash.

        Raises:
            Busy: too many are waiting.
        """
        return await self._run(lambda: passwords.hash_password(password))

    async def _run(self, work: Callable[[], T]) -> T:
        if self._inside >= _AT_A_TIME + _MAX_WAITING:
            raise Busy
        if self._limiter is None:  # made where the loop runs
            self._limiter = anyio.CapacityLimiter(_AT_A_TIME)
        self._inside += 1
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._limiter)
        finally:
            self._inside -= 1
