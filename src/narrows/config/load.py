"""Read a configuration directory: everything is checked, every fault is said at once, or nothing is used.

    DIR/narrows.yaml  DIR/labels.yaml  DIR/policies/*.cedar  DIR/policies/*.test.yaml

The order: bytes (capped), YAML, shape, settings, names against names, CA files, labels, policies.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from narrows.config import yaml_text
from narrows.config.faults import ConfigError, Fault
from narrows.config.loaded import Config
from narrows.config.models import OPERATOR, Root
from narrows.config.reading import (
    FILE_LIMIT_BYTES,
    LABELS_FILE,
    LABELS_LIMIT_BYTES,
    POLICY_FOLDER,
    ROOT_FILE,
    Reading,
    policy_files,
)
from narrows.config.root_file import (
    read_authorities,
    read_settings_section,
    read_shape,
    reference_faults,
    with_absolute_files,
    written_names,
)
from narrows.masking.builtin import BUILT_IN
from narrows.masking.labels import LabelError, parse_labels
from narrows.model.label import Labels
from narrows.policy.declared import Declared
from narrows.policy.errors import PolicyError
from narrows.policy.load import load as load_policies
from narrows.policy.policyset import PolicySet
from narrows.settings import Settings, resolve, unknown_environment

BUILT_IN_POLICY = "(built in)/operator.cedar"


def load(
    directory: Path, environ: Mapping[str, str] | None = None, flags: Mapping[str, str] | None = None
) -> Config:
    """The configuration of a directory; ConfigError carries every fault.

    `environ` is the process's environment where it is not given; `flags` are settings from the command line.
    """
    environ = os.environ if environ is None else environ
    reading = Reading(directory.absolute())
    root_text = reading.text(
        ROOT_FILE, FILE_LIMIT_BYTES, "run `narrows init DIR` to write a starting directory"
    )
    labels_text = reading.text(LABELS_FILE, LABELS_LIMIT_BYTES, "write one; without labels nothing is masked")
    sources, cases = policy_files(reading)
    document, root = read_shape(reading, root_text)
    settings = read_settings_section(reading, document, root, environ, flags or {})
    reading.faults += reference_faults(root, document)
    root = with_absolute_files(root, reading.directory)
    authorities = read_authorities(reading, root, document)
    labels = _labels(reading, labels_text, root, document)
    names = frozenset(labels.labels) if labels else _label_names(labels_text)
    policies = _policies(reading, sources, _declared(root, document, names))
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
    reading = Reading(directory.absolute())
    document, faults = yaml_text.read(ROOT_FILE, reading.text(ROOT_FILE, FILE_LIMIT_BYTES, ""))
    value = document.value if isinstance(document.value, dict) and not faults else {}
    section = value.get("settings")
    known = section if isinstance(section, dict) else {}
    settings, _ = resolve(known, os.environ if environ is None else environ, {})
    return settings.under(reading.directory)


def _labels(reading: Reading, text: str, root: Root, document: yaml_text.Document) -> Labels | None:
    homes = {name: name for name in written_names(document, "connections")}
    homes |= {name: connection.database for name, connection in root.connections.items()}
    try:
        labels = parse_labels(text, homes)
    except LabelError as error:
        reading.faults += [
            Fault(LABELS_FILE, f.message, f.remedy, f.line or None, f.path) for f in error.faults
        ]
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


def _label_names(text: str) -> frozenset[str]:
    """The labels that a faulty labels.yaml means to define, so that its faults do not return as policies'."""
    document, _ = yaml_text.read(LABELS_FILE, text)
    section: Any = document.value.get("labels") if isinstance(document.value, dict) else None
    return frozenset(BUILT_IN) | frozenset(map(str, section) if isinstance(section, dict) else ())


def _policies(reading: Reading, sources: Mapping[str, str], known: Declared) -> PolicySet | None:
    try:
        return load_policies({**sources, BUILT_IN_POLICY: operator_policy()}, known)
    except PolicyError as error:
        reading.faults += [Fault(f.file, f.message, f.remedy, f.line) for f in error.faults]
        return None


def _declared(root: Root, document: yaml_text.Document, labels: frozenset[str]) -> Declared:
    """Every name that a policy may use."""
    return Declared(
        users=written_names(document, "users") | {OPERATOR},
        services=written_names(document, "services"),
        groups=written_names(document, "groups"),
        connections=written_names(document, "connections"),
        databases={name: known.all_databases for name, known in root.connections.items()},
        labels=labels,
    )


def operator_policy() -> str:
    """The policy of the control socket's built-in operator."""
    return (resources.files("narrows.config") / "operator.cedar").read_text("utf-8")


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
