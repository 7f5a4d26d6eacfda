"""Facts about an action that need no look at a real system, each with who vouches for it. Fetches nothing."""

from clearance.core.enrich.counted import COUNTED, uncounted, with_counts
from clearance.core.enrich.derive import derive_facts, merge_facts
from clearance.core.enrich.sources import DERIVED

__all__ = ["COUNTED", "DERIVED", "derive_facts", "merge_facts", "uncounted", "with_counts"]
