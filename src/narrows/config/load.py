"""Read a configuration directory: everything is checked, every fault is said at once, or nothing is used.

    DIR/narrows.yaml  DIR/labels.yaml  DIR/policies/*.cedar  DIR/policies/*.test.yaml

The order: bytes (capped), YAML, shape, settings, names against names, CA files, labels, policies.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import ssl
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from narrows.config import yaml_text
from narrows.config.faults import ConfigError, Fault
from narrows.config.loaded import Config
from narrows.config.models import OPERATOR, Connection, Credential, Root
from narrows.masking.labels import LabelError, parse_labels
from narrows.model.label import Labels
from narrows.policy.declared import Declared
from narrows.policy.errors import PolicyError
from narrows.policy.load import load as load_policies
from narrows.policy.policyset import PolicySet
from narrows.settings import Settings, resolve, unknown_environment

ROOT_FILE = "narrows.yaml"
LABELS_FILE = "labels.yaml"
POLICY_FOLDER = "policies"
BUILT_IN_POLICY = "(built in)/operator.cedar"

FILE_LIMIT_BYTES = 1024 * 1024
LABELS_LIMIT_BYTES = 4 * 1024 * 1024
POLICY_FILES_LIMIT = 500


def load(
    directory: Path, environ: Mapping[str, str] | None = None, flags: Mapping[str, str] | None = None
) -> Config:
    """The configuration of a directory; ConfigError carries every fault.

    `environ` is the process's environment where it is not given; `flags` are settings from the command line.
    """
    environ = os.environ if environ is None else environ
    reading = _Reading(directory.absolute())
    root_text = reading.text(
        ROOT_FILE, FILE_LIMIT_BYTES, "run `narrows init DIR` to write a starting directory"
    )
    labels_text = reading.text(LABELS_FILE, LABELS_LIMIT_BYTES, "write one; without labels nothing is masked")
    sources, cases = _policy_files(reading)
    document, root = _shape(reading, root_text)
    settings = _settings(reading, document, root, environ, flags or {})
    reading.faults += _reference_faults(root, document)
    root = _with_absolute_files(root, reading.directory)
    authorities = _authorities(reading, root, document)
    labels = _labels(reading, labels_text, root)
    policies = _policies(reading, sources, root, labels)
    if reading.faults or labels is None or policies is None:
        raise ConfigError(reading.faults)
    return Config(
        directory=reading.directory,
        settings=settings,
        groups=root.groups,
        users=root.users,
        services=root.services,
        connections=root.connections,
        labels=labels,
        policies=policies,
        authorities=authorities,
        cases=cases,
        versions={"config": _hash(root_text), "labels": labels.version, "policy": policies.version},
        warnings=(*reading.warnings, *_warnings(reading.directory, environ)),
    )


def read_settings(directory: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Only the settings, for a command that needs an address; whatever else is wrong is not its business."""
    reading = _Reading(directory.absolute())
    document, faults = yaml_text.read(ROOT_FILE, reading.text(ROOT_FILE, FILE_LIMIT_BYTES, ""))
    value = document.value if isinstance(document.value, dict) and not faults else {}
    section = value.get("settings")
    known = section if isinstance(section, dict) else {}
    settings, _ = resolve(known, os.environ if environ is None else environ, {})
    return settings.under(reading.directory)


@dataclass
class _Reading:
    """One pass over a directory: what was found wrong so far."""

    directory: Path
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)

    def text(self, name: str, limit_bytes: int, remedy: str) -> str:
        """The file's text; empty, with a fault, where it cannot be read."""
        try:
            with (self.directory / name).open("rb") as file:
                data = file.read(limit_bytes + 1)
            if len(data) <= limit_bytes:
                return data.decode("utf-8")
            fault = Fault(name, f"larger than {limit_bytes} bytes", "split or shorten it")
        except UnicodeDecodeError as error:
            fault = Fault(name, f"not UTF-8 at byte {error.start}", "save it as UTF-8")
        except FileNotFoundError:
            fault = Fault(name, "missing", remedy)
        except OSError as error:
            fault = Fault(name, f"cannot be read: {error.strerror}", "mend its permissions")
        self.faults.append(fault)
        return ""


# Policies: which files -----------------------------------------------------------------------------------


def _policy_files(reading: _Reading) -> tuple[dict[str, str], dict[str, str]]:
    """(policies, cases) by file name such as `policies/payroll.cedar`."""
    folder = reading.directory / POLICY_FOLDER
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
    except OSError as error:
        reading.faults.append(
            Fault(POLICY_FOLDER, f"cannot be listed: {error.strerror}", "put the *.cedar files there")
        )
        return {}, {}
    if len(names) > POLICY_FILES_LIMIT:
        reading.faults.append(
            Fault(POLICY_FOLDER, f"{len(names)} files; {POLICY_FILES_LIMIT} is the limit", "merge some")
        )
        return {}, {}
    policies = {name: _policy_text(reading, name) for name in names if name.endswith(".cedar")}
    cases = {name: _policy_text(reading, name) for name in names if name.endswith(".test.yaml")}
    reading.warnings += [
        Fault(
            f"{POLICY_FOLDER}/{name}",
            "neither *.cedar nor *.test.yaml, so it is not read",
            "rename or remove it",
        )
        for name in names
        if not name.endswith((".cedar", ".test.yaml", ".md"))
    ]
    if not policies:
        reading.faults.append(
            Fault(POLICY_FOLDER, "no *.cedar file, so nothing at all would be permitted", "write a policy")
        )
    return _under(policies), _under(cases)


def _policy_text(reading: _Reading, name: str) -> str:
    return reading.text(f"{POLICY_FOLDER}/{name}", FILE_LIMIT_BYTES, "put it back")


def _under(texts: Mapping[str, str]) -> dict[str, str]:
    return {f"{POLICY_FOLDER}/{name}": text for name, text in texts.items()}


# narrows.yaml: shape -------------------------------------------------------------------------------------


def _shape(reading: _Reading, text: str) -> tuple[yaml_text.Document, Root]:
    document, faults = yaml_text.read(ROOT_FILE, text)
    reading.faults += faults
    if faults:
        return document, Root()
    value = {} if document.value is None else document.value
    try:
        return document, Root.model_validate(value)
    except ValidationError as error:
        reading.faults += [_shape_fault(document, dict(detail)) for detail in error.errors()]
        return document, _sound_part(value)


def _sound_part(value: Any) -> Root:
    """What of a faulty file can still be checked: its sections that hold for themselves."""
    sections: dict[str, Any] = {}
    for name, section in value.items() if isinstance(value, dict) else ():
        try:
            Root.model_validate({**sections, name: section})
        except ValidationError:
            continue
        sections[name] = section
    return Root.model_validate(sections)


_REMEDIES = {
    "missing": "add it",
    "extra_forbidden": "remove it or correct its spelling",
    "enum": "",
    "literal_error": "",
    "value_error": "",
}
_MARKERS = ("[key]", "function-before", "function-after")


def _shape_fault(document: yaml_text.Document, detail: Mapping[str, Any]) -> Fault:
    kind = str(detail["type"])
    path = tuple(part for part in detail["loc"] if not str(part).startswith(_MARKERS))
    message = str(detail["msg"]).removeprefix("Value error, ")
    if kind == "extra_forbidden":
        message = f"{path[-1]!r} is not known here"
    elif kind == "missing":
        message = f"{path[-1]!r} is missing"
    remedy = _REMEDIES.get(kind, "correct it; docs/configuration.md shows the form") + _suggestion(kind, path)
    return Fault(ROOT_FILE, message, remedy, document.line_of(path), yaml_text.dotted(path))


def _suggestion(kind: str, path: tuple[Any, ...]) -> str:
    if kind != "extra_forbidden":
        return ""
    known = {*Root.model_fields, *Connection.model_fields}
    near = difflib.get_close_matches(str(path[-1]), known, n=1)
    return f" (is it {near[0]!r}?)" if near else ""


# Settings ------------------------------------------------------------------------------------------------


def _settings(
    reading: _Reading,
    document: yaml_text.Document,
    root: Root,
    environ: Mapping[str, str],
    flags: Mapping[str, str],
) -> Settings:
    settings, faults = resolve(root.settings, environ, flags)
    for fault in faults:
        path: tuple[str, ...] = ("settings", fault.name)
        is_in_file = fault.source == ROOT_FILE
        line = document.line_of(path) if is_in_file else None
        reading.faults.append(
            Fault(fault.source, fault.message, "", line, ".".join(path) if is_in_file else fault.name)
        )
    return settings.under(reading.directory)


# Names against names -------------------------------------------------------------------------------------


def _reference_faults(root: Root, document: yaml_text.Document) -> Iterator[Fault]:
    def fault(path: tuple[str | int, ...], message: str, remedy: str) -> Fault:
        return Fault(ROOT_FILE, message, remedy, document.line_of(path), yaml_text.dotted(path))

    for section, members in (("users", root.users), ("services", root.services)):
        for name, member in members.items():
            if name == OPERATOR:
                yield fault((section, name), f"{OPERATOR!r} is built in", "use another name")
            for number, group in enumerate(member.groups):
                if group not in root.groups:
                    path: tuple[str | int, ...] = (section, name, "groups", number)
                    yield fault(path, f"no group {group!r}", _declare(group, root.groups))
    for name in sorted(set(root.users) & set(root.services)):
        yield fault(("services", name), f"{name!r} is a user too", "give one of them another name")
    for name, connection in root.connections.items():
        for group in connection.credentials:
            if group not in root.groups:
                path = ("connections", name, "credentials", group)
                yield fault(path, f"no group {group!r}", _declare(group, root.groups))


def _declare(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"is it {near[0]!r}? Else declare it under groups" if near else "declare it under groups"


def _with_absolute_files(root: Root, directory: Path) -> Root:
    """`file:` references are relative to the directory, wherever the gateway was started."""
    connections = {
        name: known.model_copy(
            update={
                "credential": _absolute(known.credential, directory),
                "credentials": {group: _absolute(c, directory) for group, c in known.credentials.items()},
            }
        )
        for name, known in root.connections.items()
    }
    return root.model_copy(update={"connections": connections})


def _absolute(credential: Credential, directory: Path) -> Credential:
    scheme, _, name = credential.password.partition(":")
    if scheme != "file":
        return credential
    return credential.model_copy(update={"password": f"file:{directory / name}"})


# CA files ------------------------------------------------------------------------------------------------


def _authorities(reading: _Reading, root: Root, document: yaml_text.Document) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, connection in root.connections.items():
        path = ("connections", name, "tls", "ca")
        if connection.tls.ca in (None, "system"):
            continue
        try:
            found[name] = _read_authority(reading.directory / str(connection.tls.ca))
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            reading.faults.append(
                Fault(
                    ROOT_FILE,
                    f"cannot use the CA file {connection.tls.ca!r}: {why}",
                    "name a PEM file, relative to the directory",
                    document.line_of(path),
                    ".".join(path),
                )
            )
    return found


def _read_authority(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(FILE_LIMIT_BYTES)
    text = data.decode("ascii")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except ssl.SSLError:
        raise ValueError("no certificate in it") from None
    return text


# Labels and policies -------------------------------------------------------------------------------------


def _labels(reading: _Reading, text: str, root: Root) -> Labels | None:
    homes = {name: connection.database for name, connection in root.connections.items()}
    try:
        labels = parse_labels(text, homes)
    except LabelError as error:
        reading.faults += [Fault(LABELS_FILE, str(fault)) for fault in error.faults]
        return None
    for connection, database in sorted(labels.databases):
        known = root.connections.get(connection)
        if known is not None and database not in known.all_databases:
            reading.faults.append(
                Fault(
                    LABELS_FILE,
                    f"connection {connection!r} does not list the database {database!r}",
                    f"add it under connections.{connection}.databases",
                )
            )
    return labels


def _policies(
    reading: _Reading, sources: Mapping[str, str], root: Root, labels: Labels | None
) -> PolicySet | None:
    try:
        return load_policies({**sources, BUILT_IN_POLICY: operator_policy()}, declared(root, labels))
    except PolicyError as error:
        reading.faults += [Fault(f.file, f.message, f.remedy, f.line) for f in error.faults]
        return None


def declared(root: Root, labels: Labels | None) -> Declared:
    """Every name that a policy may use."""
    return Declared(
        users=frozenset({*root.users, OPERATOR}),
        services=frozenset(root.services),
        groups=frozenset(root.groups),
        connections=frozenset(root.connections),
        databases={name: known.all_databases for name, known in root.connections.items()},
        labels=frozenset(labels.labels) if labels else frozenset(),
    )


def operator_policy() -> str:
    """The policy of the control socket's built-in operator."""
    return (resources.files("narrows.config") / "operator.cedar").read_text("utf-8")


# The rest ------------------------------------------------------------------------------------------------


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _warnings(directory: Path, environ: Mapping[str, str]) -> Iterator[Fault]:
    for name in unknown_environment(environ):
        yield Fault(name, "no setting has this name", "correct its spelling or unset it")
    for path in (directory, directory / ROOT_FILE, directory / LABELS_FILE, directory / POLICY_FOLDER):
        try:
            mode = path.stat().st_mode
        except OSError:
            continue
        if mode & (stat.S_IWOTH):
            yield Fault(str(path), "everybody on this machine may change it", "run: chmod o-w " + str(path))
