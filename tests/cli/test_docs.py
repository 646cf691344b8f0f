"""The pages say what the code has: every verb, route, exit code and reason has its place, and nothing else does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from narrows.cli.errors import MEANINGS
from narrows.cli.root import root
from narrows.model.reason import Reason
from tests.api.fake import FakeGateway
from tests.api.test_application import routes

DOCS = Path(__file__).parents[2] / "docs"


def headings(name: str, level: str) -> set[str]:
    return set(re.findall(rf"^{level} (.+)$", (DOCS / name).read_text("utf-8"), re.MULTILINE))


def verbs(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from verbs(found, f"{path} {name}")


VERBS = dict(verbs(root, "narrows"))


def test_every_verb_has_its_heading_and_no_other_has() -> None:
    assert {each for each in headings("cli.md", "##") if each.startswith("narrows ")} == set(VERBS)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.replace(" ", "-"))
def test_every_verb_says_what_it_does_and_speaks_json(verb: str) -> None:
    command = VERBS[verb]
    assert command.help and command.help.strip().endswith(".")
    without = ("narrows serve", "narrows demo", "narrows completion", "narrows policy schema")
    has_json = any("--json" in parameter.opts for parameter in command.params)
    assert has_json == (verb not in without)
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    assert all(option.help for option in options if option.name != "format_")


def test_every_noun_has_examples() -> None:
    context = click.Context(root)
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        assert command is not None and command.epilog is not None and "Examples:" in command.epilog, name


def test_no_option_takes_a_secret_from_argv() -> None:
    words = {word for command in VERBS.values() for parameter in command.params for word in parameter.opts}
    assert not words & {"--token", "--password", "--value", "--secret", "--vault-token"}


def test_every_exit_code_is_in_the_table() -> None:
    text = (DOCS / "cli.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| (\d+) \| (.+) \|$", text, re.MULTILINE))
    assert rows == {str(int(code)): meaning for code, meaning in MEANINGS.items()}


def test_every_route_has_its_heading(gateway: FakeGateway) -> None:
    assert headings("cli.md", "###") == {f"{method} {path}" for method, path in routes(gateway)}


def test_every_reason_has_its_heading_and_its_remedy() -> None:
    assert headings("reasons.md", "###") == {f"{reason.code} {reason.name.lower()}" for reason in Reason}
    text = (DOCS / "reasons.md").read_text("utf-8")
    for reason in Reason:
        part = text[text.index(f"### {reason.code} ") :].split("\n### ")[0]
        assert f"- What to do: {reason.remedy}" in part
        assert f"- Worth trying again: {'yes' if reason.retryable else 'no'}" in part
        assert len(part.splitlines()[2]) > 30, f"{reason.name} is not explained"


def test_reason_codes_are_one_each() -> None:
    assert len({reason.code for reason in Reason}) == len(list(Reason))
