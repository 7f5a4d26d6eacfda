"""PostgreSQL as a system: its catalogue as values for the classifier."""
