"""The tables of the engine in one SQLite file, and what rows must meet as SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from consentkit.archive.store.server.engine import KINDS, Wanted

TABLES = """
CREATE TABLE IF NOT EXISTS place (name TEXT PRIMARY KEY, is_made INTEGER, is_draft INTEGER);
CREATE TABLE IF NOT EXISTS word (
  place TEXT, kind TEXT, number INTEGER, sealed BLOB, lookup INTEGER, UNIQUE (place, kind, number));
CREATE TABLE IF NOT EXISTS request (
  place TEXT, time_us, segment, sequence, client, agent, resource, referrer, result, bytes_sent, duration_us,
  claimed_us, UNIQUE (place, segment, sequence));
CREATE TABLE IF NOT EXISTS gap (
  place TEXT, segment, sequence, since_us, until_us, sealed, UNIQUE (place, segment, sequence));
CREATE TABLE IF NOT EXISTS batch (
  place TEXT, lane, number, worker, segment_number, segment, first_sequence, next_sequence, requests, gaps, digest,
  UNIQUE (place, lane, number));
"""
CONTENT = ("batch", "request", "gap", "word")
ROW = "time_us, segment, sequence, client, agent, resource, referrer, result, bytes_sent, duration_us, claimed_us"
BATCH = "lane, number, worker, segment_number, segment, first_sequence, next_sequence, requests, gaps, digest"

Conditions = tuple[str, list[Any]]


def conditions(wanted: Wanted) -> Conditions:
    """Return the conditions over a row, and their values."""
    parts = [f"time_us >= {wanted.since_us:d} AND time_us < {wanted.until_us:d}"]  # of any size, as digits
    values: list[Any] = []
    for column, numbers in wanted.all_of:
        parts.append(among(column, numbers))
    if wanted.any_of:
        parts.append(f"({' OR '.join(among(column, numbers) for column, numbers in wanted.any_of)})")
    if wanted.statuses:
        parts.append(f"({' OR '.join(['result / 4 BETWEEN ? AND ?'] * len(wanted.statuses))})")
        values += [bound for pair in wanted.statuses for bound in pair]
    if wanted.outcome is not None:
        parts.append("result % 4 = ?")
        values.append(wanted.outcome)
    for clients, since_us, until_us, agents in wanted.none_of:
        of_agents = "" if agents is None else f" AND {among('agent', agents)}"
        parts.append(f"NOT ({among('client', clients)} AND time_us >= ? AND time_us < ?{of_agents})")
        values += [since_us, until_us]
    return " AND ".join(parts), values


def among(column: str, numbers: Sequence[int]) -> str:
    """Return the condition that a column has one of some numbers."""
    if column not in KINDS:
        raise ValueError(column)
    return f"{column} IN ({', '.join(map(str, map(int, numbers)))})"
