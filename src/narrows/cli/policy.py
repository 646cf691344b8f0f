"""`narrows policy`: check a directory, run its cases, ask why, print the schema. Works without a gateway."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from narrows.cli import output
from narrows.cli.errors import CliError, ExitCode
from narrows.cli.options import directory_argument, gateway_options, json_option

if TYPE_CHECKING:
    from narrows.config.loaded import Config
    from narrows.policy.cases import Case, Result

_EPILOG = """\b
Examples:
  narrows policy check gateway
  narrows policy test gateway
  narrows policy explain --dir gateway --as alice --connection shop --action select --on public.payroll
  narrows policy explain --as alice --connection shop --sql 'SELECT * FROM payroll'
"""


@click.group("policy", epilog=_EPILOG)
def command() -> None:
    """Check, test and explain policies."""


@command.command("check")
@directory_argument
@json_option
def check(directory: Path, as_json: bool) -> None:
    """Read a configuration directory and name every fault with its file, line and remedy."""
    config = load(directory)
    cases = read_cases(config)
    if as_json:
        output.show_json(
            {
                "versions": config.versions,
                "policies": list(config.policies.ids),
                "warnings": [str(w) for w in config.warnings],
            }
        )
        return
    for warning in config.warnings:
        output.say(f"warning: {warning}", style="warn")
    counts = (
        output.counted(len(config.policies.ids), "policy", "policies"),
        output.counted(len(config.connections), "connection"),
        output.counted(len(cases), "case"),
    )
    output.say(f"{directory}: {', '.join(counts)}, no fault.", style="good")


@command.command("test")
@directory_argument
@click.option("--verbose", "-v", is_flag=True, help="Name the cases that pass too.")
@json_option
def test(directory: Path, verbose: bool, as_json: bool) -> None:
    """Run the cases in policies/*.test.yaml."""
    config = load(directory)
    results = run_cases(config)
    failed = [result for result in results if not result.is_passed]
    if as_json:
        output.show_json({"passed": len(results) - len(failed), "failed": [_failure(r) for r in failed]})
    else:
        for result in results if verbose else failed:
            output.say(str(result), style="" if result.is_passed else "bad")
        output.say(
            f"{len(results) - len(failed)} passed, {len(failed)} failed", style="bad" if failed else "good"
        )
    if failed:
        raise CliError(
            f"{len(failed)} of {len(results)} policy cases fail",
            "`narrows policy explain` shows why a verdict came about.",
            ExitCode.VERIFICATION_FAILED,
        )


@command.command("explain")
@click.option("--as", "principal", help="Whose verdict; by default the caller's.")
@click.option("--connection", default="", help="Where.")
@click.option("--database", help="Which database; by default the connection's own.")
@click.option("--sql", help="A statement; needs the gateway, which knows the target's schema.")
@click.option("--action", help="Instead of --sql, an action such as select, update or drop.")
@click.option(
    "--on", default="", help='What it is upon: schema.table, database, or Table::"shop/public.orders".'
)
@click.option("--fact", "facts", multiple=True, metavar="NAME=VALUE", help="A fact, such as is_bounded=true.")
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    help="Ask this directory, not a gateway (no --sql).",
)
@gateway_options
def explain(
    principal: str | None,
    connection: str,
    database: str | None,
    sql: str | None,
    action: str | None,
    on: str,
    facts: tuple[str, ...],
    directory: Path | None,
    as_json: bool,
) -> int:
    """Say what policy decides and why, policy by policy. Nothing runs."""
    if (sql is None) == (action is None):
        raise click.UsageError("Give either --sql or --action.")
    if directory is not None and sql is not None:
        raise click.UsageError("--sql needs a gateway; with --dir ask by --action and --on.")
    question = {
        "principal": principal,
        "connection": connection,
        "database": database,
        "sql": sql,
        "action": action,
        "on": on,
        "facts": dict(_fact(text) for text in facts),
    }
    found = _ask_directory(directory, question) if directory is not None else _ask_gateway(question)
    if as_json:
        output.show_json(found)
    else:
        _show(found)
    return ExitCode.OK if all(each["effect"] == "allow" for each in found) else ExitCode.FAILED


@command.command("schema")
def schema() -> None:
    """Print the Cedar schema: every action, resource and fact that a policy can name."""
    from narrows.policy import schema as cedar

    click.echo(cedar.text(with_time=True))


def load(directory: Path) -> Config:
    """The configuration of a directory, or its faults at the terminal."""
    from narrows.cli.serve import invalid
    from narrows.config.faults import ConfigError
    from narrows.config.load import load as load_config

    try:
        return load_config(directory)
    except ConfigError as error:
        raise invalid(directory, error) from None


def run_cases(config: Config) -> list[Result]:
    """Every case of every table, in order."""
    from narrows.policy import cases

    return [cases.run(config.policies, case, config.labels) for case in read_cases(config)]


def read_cases(config: Config) -> list[Case]:
    """Every case of every table; one that cannot be read is a failure of its own."""
    from narrows.config import questions, yaml_text
    from narrows.policy import cases

    world = questions.world(config)
    found: list[Case] = []
    faults: list[str] = []
    for file, text in sorted(config.cases.items()):
        document, wrong = yaml_text.read(file, text)
        faults += [str(fault) for fault in wrong]
        if wrong:
            continue
        try:
            found += cases.parse(file, document.value, world, document.line_of)
        except cases.CaseError as error:
            faults += [str(fault) for fault in error.faults]
    if faults:
        raise CliError(
            "the tables of cases cannot be read",
            "Mend what is listed.",
            ExitCode.CONFIG_INVALID,
            tuple(faults),
        )
    return found


def _failure(result: Result) -> dict[str, Any]:
    return {
        "case": result.case.name,
        "file": result.case.file,
        "line": result.case.line,
        "differences": [str(difference) for difference in result.differences],
        "message": result.verdict.message,
    }


def _ask_gateway(question: dict[str, Any]) -> list[dict[str, Any]]:
    from narrows.cli.client import connect

    with connect() as client:
        found: list[dict[str, Any]] = client.post("/v1/explain", question)
        return found


def _ask_directory(directory: Path, asked: dict[str, Any]) -> list[dict[str, Any]]:
    from narrows.api.routes.explain import shape
    from narrows.config import questions

    config = load(directory)
    if not asked["principal"]:
        raise click.UsageError("With --dir say whose verdict: --as NAME.")
    try:
        principal = questions.find_principal(config, asked["principal"])
        connection = asked["connection"]
        database = questions.check_place(config, connection, asked["database"]) if connection else ""
        statement = questions.question(
            config, connection, database, asked["action"], asked["on"], asked["facts"]
        )
    except questions.QuestionError as fault:
        raise CliError(str(fault), "Correct the question.", ExitCode.USAGE) from None
    answer = questions.answer(config, principal, connection, database, statement, time.time())
    return [shape(statement, answer).model_dump(mode="json")]


def _fact(text: str) -> tuple[str, bool | int | str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"--fact {text}: write NAME=VALUE.")
    if value in ("true", "false"):
        return name, value == "true"
    return name, int(value) if value.lstrip("-").isdigit() else value


def _show(found: list[dict[str, Any]]) -> None:
    for number, each in enumerate(found):
        if number:
            output.say()
        if each["text"]:
            output.say(each["text"], style="strong")
        for step in each["steps"]:
            output.say(step)
