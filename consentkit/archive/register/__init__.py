"""What the records of a controller say: each fact from the settings in force and from the audit, in no language.

The words for the facts are the admin area's.
"""
