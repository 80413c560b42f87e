"""Looking at the log: search, counts, gaps and following it, over periods and the spool."""

from consentkit.archive.search.archive import PAGE_ROWS as PAGE_ROWS
from consentkit.archive.search.archive import Archive as Archive
from consentkit.archive.search.archive import Search as Search
from consentkit.archive.search.archive import pages as pages
from consentkit.archive.search.waiting import Losses as Losses
from consentkit.archive.store.places import Found as Found
