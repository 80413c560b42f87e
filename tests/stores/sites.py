"""An installation whose requests lie in one of the stores, with the corpus in its spool."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from consentkit.archive.evidence import LogVerification
from consentkit.archive.filing import Filing
from consentkit.archive.holdings import Holdings
from consentkit.archive.ingest import Ingester
from consentkit.archive.search import Archive, Found
from consentkit.archive.store.interface import Filters
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.settings import Settings
from tests.archive.installation import Installation
from tests.stores import oracle
from tests.stores.corpus import NOW, Corpus
from tests.stores.oracle import Row

RETENTION_DAYS = 90


class Where(NamedTuple):
    """Where an installation keeps what it keeps; an empty URL is none.

    Attributes:
        url: of PostgreSQL.
        requests_url: of ClickHouse, for requests alone.
    """

    url: str = ""
    requests_url: str = ""

    @property
    def settings(self) -> dict[str, str]:
        """What `[storage]` says of it."""
        return {name: value for name, value in self._asdict().items() if value}


class Site(Installation):
    """An installation over a copy of the corpus' spool and keys.

    Args:
        folder: for its files.
        corpus: what its workers spooled.
        where: its store.
    """

    def __init__(self, folder: Path, corpus: Corpus, where: Where) -> None:
        shutil.copytree(corpus.folder, folder, dirs_exist_ok=True)
        self.corpus = corpus
        self.where = where
        self.now_us = NOW
        storage = {"directory": str(folder / "data"), **where.settings}
        self.settings = Settings.from_mapping({"storage": storage}, base=folder)
        self.directory = self.settings.storage.directory
        self.keyring = Keyring.open(self.settings.storage.keys, ())
        self.open()

    def open(self) -> None:
        """Open the control database and the store."""
        self.control = Control(self.directory, self.keyring, self.where.url)
        self._holdings = Holdings.open(self.settings.storage, self.keyring, self.control)

    @property
    def holdings(self) -> Holdings:
        return self._holdings

    def close(self) -> None:
        """Let go of the servers."""
        self._holdings.rows.close()
        self.control.close()

    def ingester(self) -> Ingester:
        """Return an ingester under the corpus' clock."""
        catalogue = self.catalogue()
        filing = Filing(catalogue, retention_days=RETENTION_DAYS, now_us=lambda: self.now_us)
        return Ingester(self.holdings, catalogue, self.corpus.resolvers, filing=filing)

    def archive(self) -> Archive:
        """Return the log, open for reading."""
        return Archive(self.settings, self.holdings, resolvers=self.corpus.resolvers)

    def found(self, filters: Filters | None = None, *, case: str = "") -> list[Found]:
        """Return what a search finds, newest first; as for a case."""
        return list(self.archive().for_case(case).search(filters or Filters(), limit=0))

    def everything(self) -> list[Row]:
        """Return what there is once all of the corpus is stored, newest first."""
        return oracle.rows_of(self.corpus.frames, self.corpus.resolvers, NOW)

    def expected(self, wanted: Callable[[Row], bool] = lambda _: True) -> list[Found]:
        """Return those of it that are wanted, as a search finds them."""
        return [(row.cursor, row.found) for row in self.everything() if wanted(row)]

    def faults(self) -> dict[str, str]:
        """Check all evidence; return what does not hold by its place."""
        return {fault.place: fault.reason for fault in LogVerification(self.holdings).run().bad}

    def drain(self) -> int:
        """Store all that is spooled."""
        ingester = self.ingester()
        try:
            return ingester.drain()
        finally:
            ingester.close()

    def workers(self) -> list[Path]:
        """Return the folders of the spool that hold something, in order."""
        return sorted({path.parent for path in (self.directory / "spool").glob("*/[0-9]*")})
