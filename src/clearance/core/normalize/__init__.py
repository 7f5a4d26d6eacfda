"""From a wire payload to a Request: what would be done, to which resources. Decides nothing."""

from clearance.core.classify.paths import normalised_path
from clearance.core.normalize.call import normalize
from clearance.core.normalize.files import read_files
from clearance.core.normalize.http import read_http, read_urls
from clearance.core.normalize.message import read_recipients
from clearance.core.normalize.naming import Suggestion, suggested
from clearance.core.normalize.reading import UNREADABLE, Reading
from clearance.core.normalize.shell import read_shell, understood
from clearance.core.normalize.sql import read_sql

__all__ = [
    "UNREADABLE",
    "Reading",
    "Suggestion",
    "normalised_path",
    "normalize",
    "read_files",
    "read_http",
    "read_recipients",
    "read_shell",
    "read_sql",
    "read_urls",
    "suggested",
    "understood",
]
