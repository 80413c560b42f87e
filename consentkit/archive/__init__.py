"""Custody of the request log: applying the spool, keeping, finding and destroying what is kept.

Lives in the ingester, the command line and the admin area; a worker loads `child` alone.
"""
