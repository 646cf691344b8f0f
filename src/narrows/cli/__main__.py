"""`python -m narrows.cli`: the same command where no script is installed."""

from narrows.cli import main

main()
