"""narrows.yaml: from text to a checked `Root`, settings and CA texts, with every fault on its line.

The order: YAML, shape, settings, names against names, CA files. A part that is faulty is left out, so that the
others are still checked.
"""

from __future__ import annotations

import difflib
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from narrows.config import yaml_text
from narrows.config.faults import Fault
from narrows.config.models import OPERATOR, Connection, Credential, Root
from narrows.config.reading import FILE_LIMIT_BYTES, ROOT_FILE, Reading
from narrows.settings import Settings, resolve


def read_shape(reading: Reading, text: str) -> tuple[yaml_text.Document, Root]:
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
    """What of a faulty file can still be checked: each entry of each section that holds for itself."""
    sections: dict[str, dict[str, Any]] = {}
    for name, section in value.items() if isinstance(value, dict) else ():
        for key, entry in section.items() if isinstance(section, dict) else ():
            try:
                Root.model_validate({name: {key: entry}})
            except ValidationError:
                continue
            sections.setdefault(name, {})[key] = entry
    return Root.model_validate(sections)


def written_names(document: yaml_text.Document, section: str) -> frozenset[str]:
    """The names that stand in a section, sound or not: a faulty entry is one fault and not many."""
    value = document.value.get(section) if isinstance(document.value, dict) else None
    return frozenset(map(str, value)) if isinstance(value, dict) else frozenset()


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


def read_settings_section(
    reading: Reading,
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


def reference_faults(root: Root, document: yaml_text.Document) -> Iterator[Fault]:
    def fault(path: tuple[str | int, ...], message: str, remedy: str) -> Fault:
        return Fault(ROOT_FILE, message, remedy, document.line_of(path), yaml_text.dotted(path))

    groups = written_names(document, "groups")
    for section, members in (("users", root.users), ("services", root.services)):
        for name, member in members.items():
            if name == OPERATOR:
                yield fault((section, name), f"{OPERATOR!r} is built in", "use another name")
            for number, group in enumerate(member.groups):
                if group not in groups:
                    path: tuple[str | int, ...] = (section, name, "groups", number)
                    yield fault(path, f"no group {group!r}", _declare(group, groups))
    for name in sorted(set(root.users) & set(root.services)):
        yield fault(("services", name), f"{name!r} is a user too", "give one of them another name")
    for name, connection in root.connections.items():
        for group in connection.credentials:
            if group not in groups:
                path = ("connections", name, "credentials", group)
                yield fault(path, f"no group {group!r}", _declare(group, groups))


def _declare(name: str, known: frozenset[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"is it {near[0]!r}? Else declare it under groups" if near else "declare it under groups"


def with_absolute_files(root: Root, directory: Path) -> Root:
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


def read_authorities(reading: Reading, root: Root, document: yaml_text.Document) -> dict[str, str]:
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
