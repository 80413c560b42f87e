"""The tables of the control database. Few rows, each of which must not be lost.

Owns columns and their units; what the rows mean is their rooms' business.
"""

from consentkit.control.tables.consent import answered_form as answered_form
from consentkit.control.tables.consent import consent_rate as consent_rate
from consentkit.control.tables.consent import consent_showing as consent_showing
from consentkit.control.tables.consent import decision as decision
from consentkit.control.tables.consent import policy as policy
from consentkit.control.tables.consent import shown_text as shown_text
from consentkit.control.tables.consent import signing_key as signing_key
from consentkit.control.tables.custody import aggregate as aggregate
from consentkit.control.tables.custody import aggregate_hour as aggregate_hour
from consentkit.control.tables.custody import audit as audit
from consentkit.control.tables.custody import heartbeat as heartbeat
from consentkit.control.tables.custody import incident as incident
from consentkit.control.tables.custody import installation as installation
from consentkit.control.tables.custody import misdated as misdated
from consentkit.control.tables.custody import period as period
from consentkit.control.tables.people import person as person
from consentkit.control.tables.people import recovery_code as recovery_code
from consentkit.control.tables.people import restriction as restriction
from consentkit.control.tables.people import session as session
from consentkit.control.tables.people import subject_link as subject_link
from consentkit.control.tables.people import subject_request as subject_request
from consentkit.control.tables.people import throttle as throttle
from consentkit.control.tables.schema import metadata as metadata
