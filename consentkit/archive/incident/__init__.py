"""Incidents: rows that are held as evidence after their period has gone, each with an owner and a review date.

Nothing is re-exported: retention finishes what broke off, and must not load what copies and reports need.
"""
