"""The measurement of the ingester, with few records: each of its figures is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import ingest

pytestmark = pytest.mark.server


def test_what_is_measured_is_stored_and_removed_again(tmp_path: Path) -> None:
    figures = {figure.name: figure for figure in ingest.measure(tmp_path, few=300, many=3_000)}

    assert set(figures) == {
        "ingest at 3,000 a period",
        "size at 300 a period",
        "size at 3,000 a period",
        "memory of the ingester",
    }
    assert figures["size at 300 a period"].value > figures["size at 3,000 a period"].value > 20
    assert figures["memory of the ingester"].value > 10
    assert [path.name for path in tmp_path.iterdir()] == ["places.mmdb"]
