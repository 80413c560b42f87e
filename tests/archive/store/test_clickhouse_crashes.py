"""Whatever breaks while batches go into ClickHouse: nothing is lost, and nothing is in twice."""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from clickhouse_driver import Client
from clickhouse_driver.block import RowOrientedBlock
from clickhouse_driver.bufferedwriter import BufferedSocketWriter

from consentkit.archive.store.clickhouse import ClickHouseEngine, appending, places
from consentkit.archive.store.clickhouse.ddl import columns_of
from consentkit.archive.store.clickhouse.ledger import lane_number, lines
from consentkit.archive.store.server.engine import Addition, Outrun
from consentkit.errors import StorageError
from tests.archive.store.additions import PLACE, SINCE_US, addition, many, row, rows_of
from tests.servers.clickhouse import CLUSTER, ClickHouse, database_of, serving
from tests.serving import REPOSITORY

pytestmark = pytest.mark.server

APPENDING = """
import sys
from consentkit.archive.store.clickhouse import ClickHouseEngine
from tests.archive.store.additions import PLACE, many
engine = ClickHouseEngine(sys.argv[1])
last = engine.last_batch(PLACE, "lane-a")
batches = many(int(sys.argv[2]), lane="lane-a", segment=1)
print("begins", flush=True)
for at in range(last.number if last else 0, len(batches), 3):
    engine.append(PLACE, batches[at : at + 3])
"""


@pytest.fixture
def engine(clickhouse_engine: ClickHouseEngine) -> ClickHouseEngine:
    return clickhouse_engine


def test_a_process_killed_amid_appending_loses_and_doubles_nothing(
    engine: ClickHouseEngine, clickhouse_url: str
) -> None:
    batches = many(30_000, lane="lane-a", segment=1)
    chance = random.Random(7)
    for _ in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", APPENDING, clickhouse_url, "30000"], cwd=REPOSITORY, stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(chance.uniform(0.05, 0.4))
            child.kill()

    last = engine.last_batch(PLACE, "lane-a")
    done = last.number if last else 0
    engine.append(PLACE, batches[done:])

    assert done > 0
    assert list(engine.in_order(PLACE)) == rows_of(batches)
    assert list(engine.batches(PLACE)) == [one.batch for one in batches]


@pytest.mark.parametrize("servers", [1, 2], ids=["one server", "two shards"])
def test_a_server_killed_amid_appending_loses_and_doubles_nothing(servers: int) -> None:
    lanes = {f"lane-{number}": many(6_000, lane=f"lane-{number}", segment=number) for number in range(4)}
    with serving(servers) as running:
        url = running[0].url(rest=f"?cluster={CLUSTER}" if servers > 1 else "")
        engine = ClickHouseEngine(url)
        engine.prepare()
        engine.make(PLACE)
        refused: list[str] = []
        writers = [
            threading.Thread(target=append_until_done, args=(url, batches, refused)) for batches in lanes.values()
        ]
        for writer in writers:
            writer.start()
        for server in running:
            time.sleep(0.3)
            server.crash()
            time.sleep(0.2)
            server.start()
        for writer in writers:
            writer.join()

        found = list(engine.in_order(PLACE))
        assert len(found) == 24_000
        assert found == [one for batches in lanes.values() for one in rows_of(batches)]
        assert refused
        engine.close()


def append_until_done(url: str, batches: list[Addition], refused: list[str]) -> None:
    """Append as a host does: what was refused is tried again, from the ends that are there."""
    engine = ClickHouseEngine(url)
    for at in range(0, len(batches), 2):
        while True:
            try:
                engine.append(PLACE, batches[at : at + 2])
                break
            except StorageError as exc:
                refused.append(str(exc))
                time.sleep(0.02)
    engine.close()


def test_an_append_whose_answer_was_lost_is_waited_for_and_is_in_once(
    engine: ClickHouseEngine, clickhouse_url: str, clickhouse_servers: list[ClickHouse]
) -> None:
    given = addition([row(SINCE_US, 0)])
    with under_way(clickhouse_servers[0], clickhouse_url, given) as finish:
        again = threading.Thread(target=engine.append, args=(PLACE, [given]))
        again.start()
        again.join(0.5)
        assert again.is_alive()  # it waits for what is under way
        finish()
        again.join()

    assert list(engine.in_order(PLACE)) == list(given.rows)
    assert list(engine.batches(PLACE)) == [given.batch]


def test_another_batch_is_refused_when_the_one_under_way_was_stored(
    engine: ClickHouseEngine, clickhouse_url: str, clickhouse_servers: list[ClickHouse]
) -> None:
    other = addition([row(SINCE_US + 1, 0)])
    other = other._replace(batch=other.batch._replace(digest=b"\1" * 32))
    with under_way(clickhouse_servers[0], clickhouse_url, addition([row(SINCE_US, 0)])) as finish:
        threading.Timer(0.3, finish).start()
        with pytest.raises(Outrun):
            engine.append(PLACE, [other])

    assert [one.time_us for one in engine.in_order(PLACE)] == [SINCE_US]


def test_an_append_that_is_never_answered_holds_up_others_for_a_while_only(
    engine: ClickHouseEngine,
    clickhouse_url: str,
    clickhouse_servers: list[ClickHouse],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(appending, "_WAIT_SECONDS", 0.3)
    monkeypatch.setattr(places, "_QUIET_SECONDS", 0.3)
    with under_way(clickhouse_servers[0], clickhouse_url, addition([row(SINCE_US, 0)])):
        with pytest.raises(StorageError, match="still storing"):
            engine.append(PLACE, [addition([row(SINCE_US, 0)])])
        with pytest.raises(StorageError, match="still being stored"):
            engine.drop(PLACE)


def test_rows_of_a_writer_that_is_gone_do_not_come_after_the_drop(
    engine: ClickHouseEngine, clickhouse_url: str, clickhouse_servers: list[ClickHouse]
) -> None:
    with under_way(clickhouse_servers[0], clickhouse_url, addition([row(SINCE_US, 0)])) as finish:
        dropping = threading.Thread(target=engine.drop, args=(PLACE,))
        dropping.start()
        dropping.join(0.5)
        assert dropping.is_alive()
        finish()
        dropping.join()

    assert engine.left(PLACE) == 0


def test_a_batch_whose_insert_was_never_ended_is_in_once_when_it_is_appended_again(
    engine: ClickHouseEngine, clickhouse_url: str, clickhouse_servers: list[ClickHouse]
) -> None:
    given = addition([row(SINCE_US, 0), row(SINCE_US, 1)])
    with under_way(clickhouse_servers[0], clickhouse_url, given):
        pass  # the connection is closed instead, and 18.16 stores what it has

    engine.append(PLACE, [given])

    assert list(engine.in_order(PLACE)) == list(given.rows)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.999])
def test_a_part_of_a_block_is_never_stored(
    engine: ClickHouseEngine, clickhouse_url: str, clickhouse_servers: list[ClickHouse], share: float
) -> None:
    given = addition([row(SINCE_US + at, at) for at in range(2000)])
    with under_way(clickhouse_servers[0], clickhouse_url, given, share=share):
        pass

    other = addition([row(SINCE_US, 0)])
    engine.append(PLACE, [other])

    assert list(engine.in_order(PLACE)) == list(other.rows)
    assert list(engine.batches(PLACE)) == [other.batch]


@contextlib.contextmanager
def under_way(
    server: ClickHouse, url: str, given: Addition, *, share: float = 1.0
) -> Iterator[Callable[[], None]]:
    """Send a batch as `append` does, or a share of it, but not the end; the function that is given sends that."""
    client = server.connect(database_of(url))
    settings = {"strings_as_bytes": True}
    name = places.query_id(database_of(url), PLACE, f"lane/{lane_number(given.batch.lane):x}")
    with client.disconnect_on_error("", settings):
        statement = f"INSERT INTO request ({', '.join(columns_of('request'))}) VALUES"
        client.connection.send_query(statement, query_id=name)
        client.connection.send_external_tables(None)
        block = client.receive_sample_block()
        data = list(lines(PLACE.encode(), given, 0))
        packet = RowOrientedBlock(block.columns_with_types, data)
        if share < 1:
            sent = bytes_of(client, packet)
            client.connection.socket.sendall(sent[: int(len(sent) * share)])
        else:
            client.connection.send_data(packet)

    def finish() -> None:
        client.connection.send_data(RowOrientedBlock())
        client.receive_end_of_insert_query()

    yield finish
    client.disconnect()


def bytes_of(client: Client, block: RowOrientedBlock) -> bytes:
    """Return a block as it goes over the wire."""
    connection = client.connection
    near, far = socket.socketpair()
    with near, far:
        true_writer = connection.fout
        connection.fout = BufferedSocketWriter(near, 1 << 20)
        connection.block_out = connection.get_block_out_stream()
        receiving: list[bytes] = []
        reader = threading.Thread(target=lambda: receiving.extend(iter(lambda: far.recv(1 << 16), b"")))
        reader.start()
        connection.send_data(block)
        connection.fout.flush()
        near.shutdown(socket.SHUT_WR)
        reader.join()
    connection.fout = true_writer
    connection.block_out = connection.get_block_out_stream()
    return b"".join(receiving)
