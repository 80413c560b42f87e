"""Requests in ClickHouse: an `Engine` whose places are partitions of MergeTree tables, dropped whole.

Owns the tables and what is asked of them; needs clickhouse-driver (``consentkit[clickhouse]``). It is given
numbers and sealed bytes: keys, words and digests are the business of `store.server`.
"""

from consentkit.archive.store.clickhouse.engine import ClickHouseEngine as ClickHouseEngine
