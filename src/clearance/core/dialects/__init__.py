"""The wire formats of model providers, read and written: requests, answers, errors. No I/O, no decisions."""
