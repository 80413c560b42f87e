"""Run the measurements, write ``bench/results.json`` and print the figures beside their bars.

    python -m bench [--full] [--rows N] [NAME …]

Exit 0: every bar was reached; 1: one was not, or a measurement failed; 2: wrong use.
"""

from __future__ import annotations

import argparse
import functools
import os
import platform
import secrets
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TimeElapsedColumn
from rich.table import Table

from bench import admin, draining, imports, ingest, injection, overhead, search, sizes, stores
from bench.figures import Figure
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MEASUREMENTS: Final[dict[str, Callable[[Path], list[Figure]]]] = {
    "sizes": sizes.measure,
    "rivals": sizes.measure_beside_rivals,
    "imports": imports.measure,
    "injection": injection.measure,
    "overhead": overhead.measure,
    "ingest": ingest.measure,
    "draining": draining.measure,
    "search": search.measure,
    "admin": admin.measure,
    "stores": stores.measure,
}
RESULTS: Final = Path(__file__).with_name("results.json")
_PACKAGES: Final = (
    "consentkit",
    "starlette",
    "uvicorn",
    "uvloop",
    "httptools",
    "msgspec",
    "cryptography",
    "sqlcipher3",
    "psycopg",
    "clickhouse-driver",
)


class Results(msgspec.Struct, frozen=True):
    """What one run found, and where.

    Attributes:
        date: ISO 8601, UTC.
        machine: processor, number of cores it may use, and system.
        versions: of Python and of what the figures depend on.
        figures: all of them.
        failed: measurements that gave no figure, and why.
    """

    date: str
    machine: dict[str, str | int]
    versions: dict[str, str]
    figures: list[Figure]
    failed: dict[str, str]


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"some of: {', '.join(MEASUREMENTS)} (default all)"
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help=f"search, and show pages of, {search.FULL_ROWS:,} rows a period and more",
    )
    parser.add_argument(
        "--rows", type=int, default=stores.ROWS, help="rows in each of the stores (default %(default)s)"
    )
    arguments = parser.parse_args(argv)
    names = arguments.names or list(MEASUREMENTS)
    if unknown := set(names) - MEASUREMENTS.keys():
        parser.error(f"no measurement is called {', '.join(sorted(unknown))}")
    # What is opened in this process needs a secret too; without one each start would warn.
    os.environ.setdefault("CONSENTKIT_SECRET", secrets.token_urlsafe(32))
    measurements = dict(MEASUREMENTS)
    if arguments.full:
        measurements["search"] = functools.partial(search.measure, rows=search.FULL_ROWS)
        measurements["admin"] = functools.partial(admin.measure, rows=admin.FULL_ROWS)
    columns = (SpinnerColumn(), "{task.description}", BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=len(names))

        def tell(text: str) -> None:
            progress.update(task, description=text)

        measurements["stores"] = functools.partial(stores.measure, rows=arguments.rows, tell=tell)
        figures, failed = _run({name: measurements[name] for name in names}, progress, task)
    results = Results(datetime.now(UTC).isoformat(timespec="seconds"), _machine(), _versions(), figures, failed)
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")
    _print(results)
    return 0 if not failed and all(figure.passed for figure in figures) else 1


def _run(
    measurements: Mapping[str, Callable[[Path], list[Figure]]], progress: Progress, task: TaskID
) -> tuple[list[Figure], dict[str, str]]:
    figures: list[Figure] = []
    failed: dict[str, str] = {}
    for name, measure in measurements.items():
        progress.update(task, description=name)
        with tempfile.TemporaryDirectory(prefix="consentkit-bench-") as folder:
            try:
                figures += measure(Path(folder))
            except ConsentKitError as exc:
                failed[name] = str(exc)
            except Exception as exc:  # noqa: BLE001 - what the others measured, for minutes, is not lost with it
                failed[name] = f"{type(exc).__name__}: {exc}"
                progress.console.print_exception()
        progress.advance(task)
    return figures, failed


def _machine() -> dict[str, str | int]:
    models = (
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        if line.startswith("model name")
    )
    return {
        "processor": next(models, platform.machine()),
        "cores": len(os.sched_getaffinity(0)),
        "system": platform.platform(),
    }


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}


def _print(results: Results) -> None:
    console = Console()
    table = Table(title=f"{results.machine['processor']}, {results.machine['cores']} cores")
    table.add_column("figure")
    table.add_column("measured", justify="right")
    table.add_column("against")
    table.add_column("ratio", justify="right")
    table.add_column("bar", justify="right")
    table.add_column("")
    for figure in results.figures:
        against = "" if figure.baseline is None else f"{_number(figure.baseline)} {figure.against}"
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        sign = "≤" if figure.bar_is == "most" else "≥"
        bar = "" if figure.bar is None else f"{sign} {figure.bar:,g}"
        unit = f" {figure.unit}" if bar and figure.judged == "value" else ""
        table.add_row(
            figure.name,
            f"{_number(figure.value)} {figure.unit}",
            against,
            ratio,
            f"{bar}{unit}",
            "" if not bar else "[green]reached[/]" if figure.passed else "[red]missed[/]",
        )
    console.print(table)
    for name, why in results.failed.items():
        console.print(f"{name}: {why}", style="red", markup=False)
    console.print(f"Written to {RESULTS.name}.")


def _number(value: float) -> str:
    """Return three digits of a number, and all those before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
