"""What is kept of one person: finding it, handing it over, and saying what was erased of it and what stays."""

from consentkit.archive.subject.certificate import Certificate as Certificate
from consentkit.archive.subject.certificate import certificates as certificates
from consentkit.archive.subject.choices import Proof as Proof
from consentkit.archive.subject.choices import erase_choices as erase_choices
from consentkit.archive.subject.choices import proof_of as proof_of
from consentkit.archive.subject.export import SubjectExport as SubjectExport
from consentkit.archive.subject.export import Terms as Terms
from consentkit.archive.subject.person import Person as Person
from consentkit.archive.subject.person import fingerprint as fingerprint
from consentkit.archive.subject.traces import Traces as Traces
from consentkit.archive.subject.traces import find_traces as find_traces
