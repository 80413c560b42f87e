"""What the engine asks of one ClickHouse server: statements in, numbers and sealed bytes out.

Owns the border to whatever speaks to the server, and how long what is asked may take. `connections` speaks the
native protocol.
"""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from consentkit.archive.store.requeststore import Limit

PLACE: Final = "ClickHouse"

Of = TypeVar("Of")
Value: TypeAlias = "int | bytes"
# Sets of numbers by the names under which a statement has them, each a table of one column `n`.
Numbers: TypeAlias = "Mapping[str, Sequence[int]]"

NONE: Final[dict[str, Sequence[int]]] = {}

_LIMIT: ContextVar[Limit | None] = ContextVar("limit", default=None)


class StillRunning(Exception):
    """Refuse an insert while another under the same id runs on the server."""


class Server(Protocol):
    """One server, with its database. Every method raises StorageError where it refuses or is away."""

    @property
    def version(self) -> tuple[int, int]:
        """Year and number of its release, as (18, 16)."""

    def run(self, statement: str) -> None:
        """Run a statement that returns nothing, to its end."""

    def read(self, statement: str, shape: Callable[..., Of], numbers: Numbers = NONE) -> list[Of]:
        """Return what a statement selects, each row as `shape` makes it of the columns; strings are bytes.

        Raises:
            TimeIsUp: the limit has passed.
        """

    def stream(self, statement: str, shape: Callable[..., Of], numbers: Numbers = NONE) -> Iterator[Of]:
        """Yield the same, with bounded memory."""

    def insert(
        self, table: str, columns: Sequence[str], rows: Callable[[], Iterable[Sequence[Value]]], *, query_id: str
    ) -> None:
        """Insert rows as one block: all or none.

        Args:
            table, columns: where to.
            rows: asked once the server has taken note of the id, and before any row is sent. What it raises
                goes on, and then nothing is inserted.
            query_id: under which the server runs it. There is but one at a time.

        Raises:
            StillRunning: another runs under this id. Nothing is inserted.
        """

    def close(self) -> None:
        """Let go of connections."""


@contextlib.contextmanager
def limited(limit: Limit) -> Iterator[None]:
    """Put what this thread reads within the block under a limit."""
    before = _LIMIT.set(limit)
    try:
        yield
    finally:
        _LIMIT.reset(before)


def limit_of_this_thread() -> Limit | None:
    """Return the limit of the innermost `limited`."""
    return _LIMIT.get()
