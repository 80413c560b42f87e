"""What the visitor chose, and its enforcement on the wire.

Light to import, for every worker carries it. Pages and texts are the visitor room's.
"""
