"""All settings, checked and frozen. Reading anything but them is left to the rooms they are for."""

from consentkit.settings.policy import CATEGORIES as CATEGORIES
from consentkit.settings.policy import ConsentPolicy as ConsentPolicy
from consentkit.settings.policy import CookieSetting as CookieSetting
from consentkit.settings.policy import ServiceSetting as ServiceSetting
from consentkit.settings.requestlog import RequestLog as RequestLog
from consentkit.settings.root import Settings as Settings
from consentkit.settings.secret import read_secrets as read_secrets
from consentkit.settings.site import Authority as Authority
from consentkit.settings.site import Recipient as Recipient
from consentkit.settings.site import Site as Site
from consentkit.settings.storage import Keep as Keep
from consentkit.settings.storage import Storage as Storage
from consentkit.settings.values import EEA as EEA
from consentkit.settings.values import Text as Text
