"""YAML as a configuration needs it: safe, bounded, without surprises, and each value with its line.

Refused, each with its line: duplicate keys (the later one would win in silence), anchors, aliases and merge
keys (a small file could become a large one), tags of our own, more than one document, deep nesting.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from narrows.config.faults import Fault

DEPTH_LIMIT = 32

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """The value of a file, and the line (from 1) of every key and item in it."""

    value: Any
    lines: Mapping[Path, int] = field(default_factory=dict)

    def line_of(self, path: Path) -> int | None:
        """The line of a path, or of the nearest thing above it that the file holds."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return None


def read(file: str, text: str) -> tuple[Document, tuple[Fault, ...]]:
    """The document and its faults; with any fault the value is an empty mapping."""
    try:
        loader = _Loader(text)
    except yaml.YAMLError as error:  # characters that no YAML may hold
        return Document({}), (Fault(file, f"not valid YAML: {_first_line(error)}", "remove them"),)
    try:
        node = loader.get_single_node()
        lines: dict[Path, int] = {}
        faults = tuple(_walk(file, node, (), lines)) if node is not None else ()
        value = loader.construct_document(node) if node is not None and not faults else {}
    except yaml.MarkedYAMLError as error:
        return Document({}), (_syntax_fault(file, error),)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        return Document({}), (Fault(file, f"not valid YAML: {_first_line(error)}", "correct the file"),)
    finally:
        loader.dispose()
    return Document(value, lines), faults


_SCALARS = (
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("tag:yaml.org,2002:int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789"),
    ("tag:yaml.org,2002:float", r"^[-+]?[0-9]+\.[0-9]+(?:[eE][-+]?[0-9]+)?$", "-+0123456789"),
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", "~nN\0"),
    ("tag:yaml.org,2002:merge", r"^<<$", "<"),
)


class _Loader(yaml.SafeLoader):
    """The safe loader without aliases, and with the scalars of YAML 1.2.

    In YAML 1.1 the words `on`, `no` and `y` are booleans, `1:30` is ninety and `010` is eight.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's form

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.composer.ComposerError(
                None, None, "anchors and aliases are not used here", event.start_mark
            )
        return super().compose_node(parent, index)


for _tag, _pattern, _first in _SCALARS:
    for _character in _first:
        _Loader.yaml_implicit_resolvers.setdefault("" if _character == "\0" else _character, []).append(
            (_tag, re.compile(_pattern))
        )


def _walk(file: str, node: yaml.Node, path: Path, lines: dict[Path, int]) -> Iterator[Fault]:
    if len(path) > DEPTH_LIMIT:
        yield Fault(file, "nested too deeply", "flatten it", _line(node), dotted(path))
    elif isinstance(node, yaml.MappingNode):
        yield from _walk_mapping(file, node, path, lines)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            lines[(*path, number)] = _line(item)
            yield from _walk(file, item, (*path, number), lines)


def _walk_mapping(file: str, node: yaml.MappingNode, path: Path, lines: dict[Path, int]) -> Iterator[Fault]:
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
            yield Fault(file, "a key must be a plain word", "write it out", _line(key), dotted(path))
            continue
        here = (*path, str(key.value))
        if here in lines:
            message = f"the key {key.value!r} stands twice, first on line {lines[here]}"
            yield Fault(file, message, "keep one of them", _line(key), dotted(here))
        lines[here] = _line(key)
        yield from _walk(file, value, here, lines)


def dotted(path: Path) -> str:
    """`connections.shop.databases[0]`: a path as people write it."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else str(part))
    return text


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _syntax_fault(file: str, error: yaml.MarkedYAMLError) -> Fault:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else None
    return Fault(file, f"not valid YAML: {error.problem or error.context}", "correct this line", line)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
