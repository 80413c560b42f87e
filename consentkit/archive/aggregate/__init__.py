"""Statistics without anyone in them: counts by the hour that outlive the rows they were made of."""

from consentkit.archive.aggregate.folding import MIN_CLIENTS as MIN_CLIENTS
from consentkit.archive.aggregate.hours import Aggregator as Aggregator
from consentkit.archive.aggregate.hours import finish as finish
from consentkit.archive.aggregate.reading import Availability as Availability
from consentkit.archive.aggregate.reading import Count as Count
from consentkit.archive.aggregate.reading import Counts as Counts
from consentkit.archive.aggregate.reading import Point as Point
from consentkit.archive.aggregate.reading import availability_by_day as availability_by_day
from consentkit.archive.aggregate.reading import read as read
from consentkit.archive.aggregate.reading import series as series
from consentkit.archive.aggregate.terms import DIMENSIONS as DIMENSIONS
from consentkit.archive.aggregate.terms import OTHER as OTHER
from consentkit.archive.aggregate.terms import Dimension as Dimension
