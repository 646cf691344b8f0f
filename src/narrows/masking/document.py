"""A YAML text as plain values, with the line of every path; keys that stand twice and aliases are faults.

YAML would let the last of two equal keys win in silence, which for labels means a column that is not masked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class LabelFault:
    """One fault: the line (from 1; 0 where none is known), the path, what is wrong and what to do."""

    line: int
    path: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        place = " ".join(part for part in (f"line {self.line}" if self.line else "", self.path) if part)
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{place}: {self.message}{remedy}" if place else f"{self.message}{remedy}"


@dataclass
class Document:
    """What was read, and the faults found so far; readers add theirs with `fault`."""

    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    faults: list[LabelFault] = field(default_factory=list)

    def fault(self, path: Path, message: str, remedy: str = "") -> None:
        line = next(
            (self.lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self.lines), 0
        )
        self.faults.append(LabelFault(line, dotted(path), message, remedy))

    def mapping(self, value: Any, path: Path, what: str) -> Iterator[tuple[str, Any]]:
        """The entries of a mapping with string keys; anything else is a fault and has none."""
        if value is None:
            return
        if not isinstance(value, dict):
            self.fault(path, f"should be a mapping of {what}, not {kind_of(value)}")
            return
        for key, inner in value.items():
            if isinstance(key, str):
                yield key, inner
            else:
                self.fault((*path, str(key)), "the key is not text", f'put it in quotes: "{key}"')


def read(text: str) -> Document:
    """The document; with a syntax fault its value is None."""
    document = Document()
    try:
        node = yaml.compose(text, _Loader)
        if node is not None:
            document.value = _build(node, (), document)
    except yaml.MarkedYAMLError as failure:
        mark = failure.problem_mark
        document.value = None
        document.faults.append(LabelFault(mark.line + 1 if mark else 0, "", f"not YAML: {failure.problem}"))
    except (yaml.YAMLError, RecursionError) as failure:
        document.value = None
        document.faults.append(
            LabelFault(0, "", f"not YAML: {str(failure).splitlines()[0] if str(failure) else 'too deep'}")
        )
    return document


def dotted(path: Path) -> str:
    """`columns.shop.public.customers.ssn`, indexes in brackets."""
    shown = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return shown.removeprefix(".")


def kind_of(value: Any) -> str:
    """A value's kind in YAML's words."""
    kinds = {
        dict: "a mapping",
        list: "a list",
        str: "text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return "nothing" if value is None else kinds.get(type(value), "something else")


class _Loader(yaml.SafeLoader):
    """Without aliases: they make a text mean more than it shows."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(
                problem="aliases (*name) are not used here", problem_mark=event.start_mark
            )
        return super().compose_node(parent, index)


def _build(node: yaml.Node, path: Path, document: Document) -> Any:
    document.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _build_mapping(node, path, document)
    if isinstance(node, yaml.SequenceNode):
        return [_build(inner, (*path, place), document) for place, inner in enumerate(node.value)]
    return _scalar(node)


def _build_mapping(node: yaml.MappingNode, path: Path, document: Document) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key_node, inner in node.value:
        key = _scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else str(key_node.tag)
        below = (*path, str(key))
        document.lines.setdefault(below, key_node.start_mark.line + 1)
        if key in found:
            line = key_node.start_mark.line + 1
            document.faults.append(LabelFault(line, dotted(below), "stands twice", "keep one of the two"))
        found[key] = _build(inner, below, document)
    return found


def _scalar(node: yaml.Node) -> Any:
    return SafeConstructor().construct_object(node)
