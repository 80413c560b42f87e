"""Whether a name is known does not show in how long the sign-in takes. Hashes cost here what they cost in use."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from tests.admin.area import Area, Client, run

PAIRS = 5


async def cpu_seconds(client: Client, area: Area, name: str) -> float:
    with area.installation.control.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM throttle")
    begun = time.process_time()  # of all threads: what else runs on the machine does not count
    assert (await client.sign_in(name, "not the right password")).status_code == 403
    return time.process_time() - begun


def test_a_name_that_nobody_has_is_refused_after_as_long_as_one_that_somebody_has(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = area.stranger()
            for name in ("officer", "nobody"):
                await cpu_seconds(client, area, name)
            pairs = [
                (await cpu_seconds(client, area, "officer"), await cpu_seconds(client, area, "nobody"))
                for _ in range(PAIRS)
            ]
            known, unknown = (statistics.median(column) for column in zip(*pairs, strict=True))
            assert known > 0.03  # or the hash is too cheap to hide anything behind
            assert 0.7 < known / unknown < 1.4

    run(story)
