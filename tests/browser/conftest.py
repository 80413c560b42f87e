from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving import Server, serving


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The example site under two workers, with storage of its own."""
    folder: Path = tmp_path_factory.mktemp("example")
    environment = {"CONSENTKIT_STORAGE_DIRECTORY": str(folder / "data")}
    with serving("example_app.main:app", folder, workers=2, environment=environment) as running:
        yield running
