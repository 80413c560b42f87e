"""Visiting a site as a regulator would: what appears for whom, and whether it was agreed to."""

from consentkit.inspection.findings import Finding, Verdict
from consentkit.inspection.observed import VISITORS, InspectionError, Visitor, Walk

__all__ = ["VISITORS", "Finding", "InspectionError", "Verdict", "Visitor", "Walk"]
