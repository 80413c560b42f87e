"""What the documents say of the settings is what the settings are."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from consentkit.consent.registry import Registry
from consentkit.settings import (
    ConsentPolicy,
    CookieSetting,
    Keep,
    Recipient,
    RequestLog,
    ServiceSetting,
    Settings,
    Site,
    Storage,
)

DOCUMENT = (Path(__file__).parent.parent / "docs/settings.md").read_text(encoding="utf-8")
TABLES: dict[str, type[msgspec.Struct]] = {
    "[site]": Site,
    "[storage]": Storage,
    "[requestlog]": RequestLog,
    "[consent]": ConsentPolicy,
    "[[consent.cookies]]": CookieSetting,
    "[[consent.services]]": ServiceSetting,
    "[[recipients]]": Recipient,
    "[keep]": Keep,
}
# A cookie of a service may leave these to the service, a cookie by itself may not.
REQUIRED_IN_PLACE = {("[[consent.cookies]]", "category"), ("[[consent.cookies]]", "purpose")}


def rows(heading: str) -> dict[str, list[str]]:
    """Return the cells of a section's table by setting."""
    sections = re.split(r"^#+ ", DOCUMENT, flags=re.MULTILINE)
    body = next(section for section in sections if section.startswith(f"`{heading}`\n"))
    lines = [line for line in body.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {row[0].strip("` "): row for row in cells}


def documented_default(heading: str, field: msgspec.structs.FieldInfo) -> str:
    """Return a field's default as the document should show it."""
    if field.required or (heading, field.name) in REQUIRED_IN_PLACE:
        return "required"
    if field.default is None:
        return "none"
    if field.default == Path():
        return '`"<directory>-keys"`'
    return f"`{json.dumps(field.default, default=str)}`"  # JSON and TOML write these alike


def test_the_document_has_each_table_of_the_settings() -> None:
    names = {field.name for field in msgspec.structs.fields(Settings)}
    assert names == {heading.strip("[]").partition(".")[0] for heading in TABLES}


@pytest.mark.parametrize("heading", TABLES)
def test_each_setting_stands_in_the_document_with_its_default(heading: str) -> None:
    documented = {name: cells[2] for name, cells in rows(heading).items()}
    assert documented == {
        field.name: documented_default(heading, field) for field in msgspec.structs.fields(TABLES[heading])
    }


@pytest.mark.parametrize("heading", TABLES)
def test_each_setting_has_a_type_and_a_meaning(heading: str) -> None:
    for name, cells in rows(heading).items():
        assert len(cells) == 5, name
        assert cells[1], name
        assert cells[3].endswith((".", ".)")), name


def test_the_complete_example_is_good() -> None:
    example = DOCUMENT.partition("```toml\n")[2].partition("```")[0]
    settings = Settings.from_mapping(tomllib.loads(example))
    assert Registry.build(settings).categories == ("preferences", "statistics")
