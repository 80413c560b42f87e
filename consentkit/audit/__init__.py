"""The chained record of everything that was done to personal data.

An entry is durable before what it tells of is shown; who must write one is said where the thing is done.
"""

from consentkit.audit.acceptance import accept_put_back as accept_put_back
from consentkit.audit.anchor import Anchor as Anchor
from consentkit.audit.anchor import BadAnchor as BadAnchor
from consentkit.audit.anchor import present_anchor as present_anchor
from consentkit.audit.anchor import read_anchors as read_anchors
from consentkit.audit.entry import CHAIN_START as CHAIN_START
from consentkit.audit.entry import PURPOSES as PURPOSES
from consentkit.audit.entry import SYSTEM as SYSTEM
from consentkit.audit.entry import Actor as Actor
from consentkit.audit.entry import AuditEntry as AuditEntry
from consentkit.audit.entry import BrokenChain as BrokenChain
from consentkit.audit.entry import Look as Look
from consentkit.audit.entry import Purpose as Purpose
from consentkit.audit.entry import chain_hash as chain_hash
from consentkit.audit.pruning import prune as prune
from consentkit.audit.reading import Listing as Listing
from consentkit.audit.reading import entries as entries
from consentkit.audit.reading import last_number as last_number
from consentkit.audit.reading import listed as listed
from consentkit.audit.reading import newest_first as newest_first
from consentkit.audit.verification import ChainReport as ChainReport
from consentkit.audit.verification import Fault as Fault
from consentkit.audit.verification import Verification as Verification
from consentkit.audit.writing import append as append
from consentkit.audit.writing import record as record
