"""The one set that all tables of the control database belong to."""

from __future__ import annotations

from sqlalchemy import MetaData

metadata = MetaData()
