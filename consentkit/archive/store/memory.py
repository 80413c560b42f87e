"""Rows that lie in no place yet: what waits in the spool, read as a place is.

Owns no more than the name: the embedded backend's own tables, in memory, whichever backend keeps the places.
"""

from consentkit.archive.store.sqlite.memory import MemoryPlace

__all__ = ["MemoryPlace"]
