"""What visitors meet: the banner, the settings page, their texts and their static files.

Owns markup and wording. What was chosen and whether it holds is ``consentkit.consent``'s.
"""
