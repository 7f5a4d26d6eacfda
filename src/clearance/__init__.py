"""Clearance: the control point between AI agents and everything they touch."""
