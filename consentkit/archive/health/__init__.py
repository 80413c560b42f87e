"""Is all well? What `doctor`, monitoring and the admin area ask, each answer with the way out."""

from consentkit.archive.health.examine import examine
from consentkit.archive.health.finding import Finding, Level

__all__ = ["Finding", "Level", "examine"]
