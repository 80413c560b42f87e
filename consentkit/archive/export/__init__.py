"""Copies of the request log for other tools: formats, the audited run of an export, the file it fills."""

from consentkit.archive.export.copying import Copy as Copy
from consentkit.archive.export.copying import Export as Export
from consentkit.archive.export.copying import Order as Order
from consentkit.archive.export.formats import FORMATS as FORMATS
from consentkit.archive.export.formats import Format as Format
from consentkit.archive.export.newfile import NewFile as NewFile
from consentkit.archive.export.newfile import write_all as write_all
