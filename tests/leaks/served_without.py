"""`python -m tests.leaks.served_without LAYER serve ...`: narrows itself, in a process that lacks one layer."""

from __future__ import annotations

import sys

from narrows.cli import main
from tests.leaks import layers

if __name__ == "__main__":
    layers.switch_off(sys.argv.pop(1))
    main()
