"""The admin area: who may see what, what is kept, what happened.

Owns sign-in, roles and pages for the operator's staff. What they look at is the archive's; nothing leaves
before its entry in the audit is durable. Loaded with the first request that goes there.
"""
