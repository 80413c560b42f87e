"""Evidence: what the chained audit says of the log, held against what is there."""

from consentkit.archive.evidence.custody import Verdict as Verdict
from consentkit.archive.evidence.heads import WrittenHead as WrittenHead
from consentkit.archive.evidence.heads import note_heads as note_heads
from consentkit.archive.evidence.verification import LastVerification as LastVerification
from consentkit.archive.evidence.verification import LogReport as LogReport
from consentkit.archive.evidence.verification import LogVerification as LogVerification
from consentkit.archive.evidence.verification import last_verification as last_verification
from consentkit.archive.evidence.verification import record_result as record_result
