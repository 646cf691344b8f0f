"""The command `narrows`: one file per noun, listed in `root.py`.

Laws: what the target or a caller wrote is printed escaped; a secret comes from a prompt, a file or standard
input and never from argv; a failure is one sentence and what to do, with an exit code that stays.
"""

from __future__ import annotations


def main() -> None:
    """The entry point of the installed command."""
    from narrows.cli.root import root

    root()
