"""What is printed cannot act on a terminal, and fits it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.cli.text import printable, shortened
from tests.api.fake import Running

ROWS = (
    "from narrows.cli import output\n"
    "output.show_table(('WHO', 'STATEMENT'), [('alice', 'SELECT 1 FROM a_table_with_a_long_name'), ('bob', '\\x1b[2J[bold]x')])\n"
    "output.say('done', style='good')\n"
)


@given(st.text(st.characters(), max_size=80), st.booleans())
def test_nothing_printed_moves_the_cursor_hides_or_reorders(text: str, keep_lines: bool) -> None:
    shown = printable(text, keep_lines=keep_lines)
    for character in shown:
        if keep_lines and character in "\n\t":
            continue
        assert unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
        assert unicodedata.bidirectional(character) not in (
            "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI",
        )  # fmt: skip
    shown.encode("utf-8")


@given(st.text(st.characters(categories=["L", "N", "P", "S"], max_codepoint=0xFFFF), max_size=40))
def test_ordinary_text_is_printed_as_it_is(text: str) -> None:
    assert printable(text) == text or any(ord(c) > 0xFFF0 for c in text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u200bb", "a\\u200bb"),
        ("\U000e0041", "\\U000e0041"),
        ("\udcff", "\\udcff"),
        ("\x9b31m", "\\x9b31m"),
        ("naïve — 日本", "naïve — 日本"),
    ],
)
def test_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_shortened_is_marked() -> None:
    assert (shortened("abcdef", 4), shortened("abc", 4)) == ("abc…", "abc")


def at_terminal(code: str, columns: int, **environ: str) -> str:
    """What the code writes where standard output is a terminal of that width."""
    leader, follower = pty.openpty()
    env = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm", **environ}
    with subprocess.Popen([sys.executable, "-c", code], stdout=follower, env=env) as process:
        os.close(follower)
        chunks = []
        while True:
            try:
                chunk = os.read(leader, 65536)
            except OSError:
                break
            if not chunk:
                break
            chunks.append(chunk)
        assert process.wait() == 0
    os.close(leader)
    return b"".join(chunks).decode()


def test_a_wide_terminal_gets_a_table_with_colour_unless_told_not_to() -> None:
    coloured = at_terminal(ROWS, 100, NO_COLOR="")
    assert "\x1b[" in coloured and "\\x1b[2J[bold]x" in coloured
    plain = at_terminal(ROWS, 100, NO_COLOR="1")
    assert "\x1b[3" not in plain and "WHO" in plain and "done" in plain


def test_a_narrow_terminal_gets_one_field_a_line() -> None:
    lines = at_terminal(ROWS, 40, NO_COLOR="1").splitlines()
    assert lines[0] == "WHO        alice"
    assert lines[1].startswith("STATEMENT  SELECT 1")


def test_a_pipe_gets_tabs_and_no_colour() -> None:
    done = subprocess.run([sys.executable, "-c", ROWS], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "WHO\tSTATEMENT" and "\x1b" not in done.stdout


def test_the_real_command_at_a_terminal(served: Running, tmp_path: Path) -> None:
    code = "import sys; sys.argv = ['narrows', 'sessions', 'list', '--config', 'gw']\nfrom narrows.cli import main; main()"
    text = at_terminal(
        f"import os; os.chdir({str(tmp_path)!r})\n{code}", 120, NO_COLOR="1", XDG_CONFIG_HOME=str(tmp_path)
    )
    assert "User/alice" in text and "psql\\x1b[2J" in text
