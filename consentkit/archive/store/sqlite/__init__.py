"""The embedded backend: one SQLCipher file a place, under `requests/` and `incidents/` of the data directory."""
