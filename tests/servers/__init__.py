"""Real servers for tests: started on loopback, one of each a worker, stopped by process id."""
