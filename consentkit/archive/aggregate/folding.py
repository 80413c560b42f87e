"""Folding small groups, so that no count that is kept is about fewer than ten addresses.

Owns the rule, which holds within each dimension of an hour: the cells that are kept take in each request once,
and each cell holds requests of `MIN_CLIENTS` addresses or more. Whatever is added up or subtracted from them is
then made of whole cells too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consentkit.archive.aggregate.terms import ANSWERED, FAILED, FEW_ANSWERED, FEW_FAILED, OTHER

if TYPE_CHECKING:
    from collections.abc import Mapping

# Addresses, not requests: one busy client is no crowd.
MIN_CLIENTS: Final = 10

# Groups told of one dimension in one hour, beside the rest.
MAX_GROUPS: Final = 50


class Group:
    """Requests that have something in common, and whose they are.

    Attributes:
        requests: how many.
        clients: up to `MIN_CLIENTS` of their addresses; more need not be known apart.
    """

    __slots__ = ("clients", "requests")

    def __init__(self) -> None:
        self.requests = 0
        self.clients: set[bytes] = set()

    def add(self, client: bytes, requests: int = 1) -> None:
        """Take in requests of one client."""
        self.requests += requests
        if len(self.clients) < MIN_CLIENTS:
            self.clients.add(client)

    def absorb(self, other: Group) -> None:
        """Take in all of another group."""
        self.requests += other.requests
        if len(self.clients) < MIN_CLIENTS:
            self.clients |= other.clients

    @property
    def is_crowd(self) -> bool:
        """Whether it may be told."""
        return len(self.clients) >= MIN_CLIENTS


def fold(groups: Mapping[str, Group], *, max_groups: int = MAX_GROUPS) -> dict[str, int]:
    """Return requests by group, small groups folded into ``other``.

    Where ``other`` would be too small itself it could be subtracted from the total; the smallest of the groups
    that were to be told is folded too.

    Args:
        groups: each request in one of them; all together those of `MIN_CLIENTS` addresses or more.
        max_groups: so many of the largest are told.

    Returns:
        Requests by value; nothing where all together are too few.
    """
    told = {value: group for value, group in groups.items() if group.is_crowd and value != OTHER}
    by_size = sorted(told, key=lambda value: (-told[value].requests, value))
    del by_size[max_groups:]
    rest, kept = Group(), set(by_size)
    for value, group in groups.items():
        if value not in kept:
            rest.absorb(group)
    while rest.requests and not rest.is_crowd and by_size:
        rest.absorb(told[by_size.pop()])
    cells = {value: told[value].requests for value in by_size}
    if rest.requests and rest.is_crowd:
        cells[OTHER] = rest.requests
    return cells


def fold_availability(answered: Group, failed: Group) -> dict[str, int]:
    """Return requests by whether the server failed them.

    Where one of the two is too small to be told, all requests of the hour are one cell, named by which one was
    small: a fault that touched a few is not made an outage, and an outage that spared a few stays one.
    """
    cells = {ANSWERED: answered, FAILED: failed}
    cells = {value: group for value, group in cells.items() if group.requests}
    if all(group.is_crowd for group in cells.values()):
        return {value: group.requests for value, group in cells.items()}
    all_of_it = Group()
    all_of_it.absorb(answered)
    all_of_it.absorb(failed)
    if not all_of_it.is_crowd:
        return {}
    if answered.is_crowd == failed.is_crowd:
        return {OTHER: all_of_it.requests}
    return {FEW_FAILED if answered.is_crowd else FEW_ANSWERED: all_of_it.requests}
