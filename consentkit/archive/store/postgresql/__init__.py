"""Requests in PostgreSQL: an `Engine` whose places are partitions, made ahead and dropped whole.

Owns the tables and what is asked of them; needs psycopg 3 (``consentkit[postgresql]``). It is given numbers and
sealed bytes: keys, words and digests are the business of `store.server`.
"""

from consentkit.archive.store.postgresql.engine import PostgresqlEngine as PostgresqlEngine
