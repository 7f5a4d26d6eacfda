"""Measures what Clearance claims, each claim beside a peer in the same run. Changes nothing else."""
