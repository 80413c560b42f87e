"""One host, as a process: appends what `many` gives to a place of a PostgreSQL server, batch by batch.

Says ``begun`` when it is ready and ``done`` at the end; goes on from its mark, as a host does that returns.
"""

from __future__ import annotations

import sys

from consentkit.archive.store.postgresql import PostgresqlEngine
from tests.archive.store.additions import PLACE, many


def main(url: str, lane: str, segment: str, count: str) -> None:
    engine = PostgresqlEngine(url)
    engine.make(PLACE)
    mark = engine.applied(PLACE, int(segment))
    print("begun", flush=True)
    for one in many(int(count), lane=lane, segment=int(segment)):
        if one.batch.first_sequence >= mark:
            engine.append(PLACE, [one])
    print("done", flush=True)
    engine.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
