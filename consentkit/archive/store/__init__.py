"""Where request rows are kept: one interface, one module a backend."""

from consentkit.archive.store.interface import Batch as Batch
from consentkit.archive.store.interface import Cursor as Cursor
from consentkit.archive.store.interface import Filters as Filters
from consentkit.archive.store.interface import FoundRequest as FoundRequest
