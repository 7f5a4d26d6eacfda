"""Buckets of S3 and of stores that speak its protocol: objects counted, kept inside the store, put back."""

from clearance.adapters.systems.object_store.system import ObjectStore, open_system

__all__ = ["ObjectStore", "open_system"]
