"""A bounded load: so many requests over keep-alive connections, then it ends."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Final

from bench.client import Connection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CONNECTIONS: Final = 16


def send_load(port: int, messages: Sequence[bytes], *, count: int) -> dict[int, int]:
    """Send `count` GET requests to 127.0.0.1, the messages in turn, and return the answers by status.

    Raises:
        ExchangeFailed: a request got no answer.
    """
    return asyncio.run(_send(port, itertools.islice(itertools.cycle(messages), count)))


async def _send(port: int, messages: Iterator[bytes]) -> dict[int, int]:
    statuses: dict[int, int] = {}

    async def send_from() -> None:
        connection = Connection("127.0.0.1", port)
        try:
            for message in messages:
                status = (await connection.exchange(message)).status
                statuses[status] = statuses.get(status, 0) + 1
        finally:
            await connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(_CONNECTIONS):
            group.create_task(send_from())
    return statuses
