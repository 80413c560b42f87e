"""Is all well? What `doctor`, monitoring and the admin area ask, each answer with the way out."""

from consentkit.archive.health.examine import examine, examine_closed
from consentkit.archive.health.finding import Finding, Level
from consentkit.archive.health.hosts import last_written

__all__ = ["Finding", "Level", "examine", "examine_closed", "last_written"]
