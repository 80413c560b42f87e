"""Groups of an hour's counts: none, and no difference of two, is about few."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.archive.aggregate import (
    MIN_CLIENTS,
    OTHER,
    terms,
)
from consentkit.archive.aggregate.folding import Group, fold, fold_availability

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def groups(sizes: Mapping[str, Iterable[int]]) -> dict[str, Group]:
    found: dict[str, Group] = {}
    for value, clients in sizes.items():
        group = found.setdefault(value, Group())
        for client in clients:
            group.add(client.to_bytes(4))
    return found


@pytest.mark.parametrize(
    ("path", "group"),
    [
        ("/", "/"),
        ("/shop", "/shop"),
        ("/shop/item/7", "/shop"),
        ("/robots.txt", "/robots.txt"),
        ("/wp-admin/x", "/wp-admin"),
        ("/v1/orders", "/v1"),
        ("", OTHER),
        ("*", OTHER),
        ("//evil", OTHER),
        ("/42", OTHER),
        ("/a8f3c2", OTHER),
        ("/QXZabc", OTHER),
        ("/REDACTED/x", OTHER),
        ("/%D0%B0", OTHER),
        ("/anna@example.lv", OTHER),
        ("/averyveryverylongsinglewordindeed", OTHER),
        ("/" + "ab-" * 40, OTHER),
        ("/<script>", OTHER),
    ],
)
def test_a_path_is_grouped_by_a_first_segment_of_words_alone(path: str, group: str) -> None:
    assert terms.path_group(path) == group
    assert terms.path_group(path[: terms.MAX_SEGMENT + 2]) == group


@given(st.text(max_size=80))
def test_no_text_makes_a_group_that_is_long_or_needs_escaping(text: str) -> None:
    for value in (terms.path_group(text), terms.path_group(f"/{text}"), terms.family_group(text)):
        assert len(value) <= terms.MAX_SEGMENT + 1
        assert value.isascii()
        assert not set(value) & set("<>\"'&\\\n\r\t")


def test_a_group_is_told_by_its_addresses_and_not_by_its_requests() -> None:
    found = groups({"busy": [1] * 5000, "crowd": range(10), "rest": range(20, 40)})
    assert fold(found) == {"rest": 20, OTHER: 5010}


def test_a_rest_of_few_takes_the_smallest_group_with_it() -> None:
    found = groups({"large": range(30), "small": range(40, 55), "single": [99]})
    assert fold(found) == {"large": 30, OTHER: 16}


def test_what_can_only_be_told_as_a_whole_is_told_as_a_whole() -> None:
    assert fold(groups({"large": range(30), "single": [99]})) == {OTHER: 31}
    assert fold(groups({"few": range(9)})) == {}


def test_no_more_groups_are_told_than_the_limit() -> None:
    found = groups({f"g{n}": range(10 + n) for n in range(80)})
    cells = fold(found, max_groups=50)
    assert len(cells) == 51
    assert sum(cells.values()) == sum(group.requests for group in found.values())
    assert "g79" in cells
    assert "g29" not in cells


@given(
    st.dictionaries(st.sampled_from(["a", "b", "c", "d", "e", OTHER]), st.lists(st.integers(0, 30), min_size=1)),
    st.integers(0, 4),
)
def test_no_cell_and_no_difference_of_cells_is_about_fewer_than_ten_addresses(
    sizes: dict[str, list[int]], max_groups: int
) -> None:
    everyone = {client for clients in sizes.values() for client in clients}
    cells = fold(groups(sizes), max_groups=max_groups)
    if len(everyone) < MIN_CLIENTS:
        assert cells == {}
        return
    members = {value: set(sizes[value]) for value in cells if value != OTHER}
    rest = [client for value, clients in sizes.items() if value not in members for client in clients]
    assert cells == {**{value: len(sizes[value]) for value in members}, **({OTHER: len(rest)} if rest else {})}
    # Cells are apart from each other and make up the total: any sum or difference is made of whole cells.
    for people in (*members.values(), *([set(rest)] if rest else [])):
        assert len(people) >= MIN_CLIENTS


@pytest.mark.parametrize(
    ("answered", "failed", "cells"),
    [
        (range(20), [], {"answered": 20}),
        (range(20), range(12), {"answered": 20, "failed": 12}),
        (range(20), [1, 2], {"few_failed": 22}),
        ([1, 2], range(20), {"few_answered": 22}),
        (range(6), range(10, 16), {OTHER: 12}),
        (range(4), [1], {}),
        ([], [], {}),
    ],
    ids=["none", "many", "few failed", "few spared", "both few", "too few in all", "no requests"],
)
def test_a_fault_that_touched_few_is_told_without_its_number(
    answered: Iterable[int], failed: Iterable[int], cells: dict[str, int]
) -> None:
    both = groups({"answered": answered, "failed": failed})
    assert fold_availability(both["answered"], both["failed"]) == cells
