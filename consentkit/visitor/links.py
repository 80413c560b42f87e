"""One-time links of people who asked for something, as the visitor's pages use them.

Owns turning a browser's answer into what `archive.subject.links` takes. That is loaded with the first link:
SQLAlchemy comes along.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from consentkit.errors import BadSearch, ConsentKitError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from consentkit.control import Control
    from consentkit.crypto import Keyring


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What a person lets be noted. Times are microseconds since 1970 UTC.

    Attributes:
        address: of the client, as the request log has it; empty = not that.
        since_us, until_us: from when, and until when, it was theirs.
        agent: the browser's User-Agent, as the request log has it.
        consent_id: of the browser's cookie; empty = not that.
    """

    address: str = ""
    since_us: int = 0
    until_us: int = 0
    agent: str = ""
    consent_id: str = ""


class UnfitClaim(ConsentKitError):
    """Refuse a claim that holds nothing, or an empty time."""


class PersonLinks:
    """The links of one installation; both methods block.

    Args:
        opened: returns keys and control database; None while nothing has started.
    """

    def __init__(self, opened: Callable[[], tuple[Keyring, Control] | None]) -> None:
        self._opened = opened

    def kind(self, token: str) -> str | None:
        """Return what is asked for by the request of a link; None where the link does not work, or no more.

        Raises:
            ConsentKitError: it can't be read.
        """
        from consentkit.archive.subject.links import kind_of_link  # noqa: PLC0415 - brings SQLAlchemy along

        return kind_of_link(self._open()[1], token, now_us=_now_us())

    def use(self, token: str, claim: Claim) -> bool:
        """Use a link up and note the claim; False where it does not work, or no more.

        Raises:
            UnfitClaim: nothing is claimed, or no time; the link stays good.
            ConsentKitError: it can't be written; likewise.
        """
        from consentkit.archive.subject.links import Shown, use_link  # noqa: PLC0415 - as above
        from consentkit.archive.subject.requests import UnfitRequest  # noqa: PLC0415

        keyring, control = self._open()
        shown = Shown(**msgspec.structs.asdict(claim))
        try:
            return use_link(control, keyring, token, shown, now_us=_now_us())
        except (BadSearch, UnfitRequest) as exc:
            raise UnfitClaim("nothing is claimed that could be noted") from exc

    def _open(self) -> tuple[Keyring, Control]:
        opened = self._opened()
        if opened is None:
            raise StorageError("control.db", "consentkit has not started")
        return opened


def _now_us() -> int:
    return time.time_ns() // 1000
