"""The end of a service: everything handed over in one archive that was read back, then everything destroyed."""
