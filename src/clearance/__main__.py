"""`python -m clearance`."""

from clearance.cli import main

main()
