"""What one statement needs and reaches, collected while its tree is walked.

Law: things are only ever added: no later part of a statement takes back what an earlier one needs.
"""

from __future__ import annotations

from collections.abc import Mapping

from narrows.inspect.sql import catalogue, compared
from narrows.inspect.sql.analysis import SessionState, View, operation_key
from narrows.inspect.sql.compared import Compared
from narrows.inspect.sql.labelled import CLEAN, Taint, column_resource
from narrows.inspect.sql.limits import Limits
from narrows.inspect.sql.names import Found, Names, Nature
from narrows.inspect.sql.refused import Refused, undecided
from narrows.inspect.sql.scope import Cell, Shape
from narrows.inspect.sql.tree import Node
from narrows.inspect.sql.work import spend
from narrows.model.action import Action
from narrows.model.reach import Output, Reach
from narrows.model.reason import Reason
from narrows.model.resource import Resource
from narrows.model.snapshot import Relation
from narrows.model.statement import Fact, Operation


class Gather:
    """The collector of one statement."""

    def __init__(self, view: View, state: SessionState, limits: Limits) -> None:
        self.view = view
        self.state = state
        self.limits = limits
        self.names = Names(view.snapshot, state.facts)
        self.index = view.labelled
        self.operations: dict[tuple[object, ...], Operation] = {}
        self._filtered: dict[tuple[int, str, Resource], Node] = {}
        """Comparisons that were counted; a recursive query is walked twice."""
        self.reached: dict[Resource, frozenset[str]] = {}
        self.touched: dict[int, Relation] = {}
        self.mentions: set[str] = set()
        self.settings: set[str] = set()
        self.tracked_calls: list[tuple[str, str, bool]] = []
        """(setting, value, is local) of each set_config of a tracked setting."""
        self.written: dict[str, dict[str, Taint]] = {}
        """Temporary relation -> column -> what it may hold from here on."""
        self.hidden: set[Resource] = set()
        """Columns of system relations that hold values or statements, and whose values are used."""
        self.calls_users = False
        """A user's function that nobody vouches for is called: it may change the session."""
        self.is_derived = False
        self.is_unknown = False
        self.has_triggers = False
        self.is_bounded = True
        self.has_limit = True
        self.limit = 0
        self.constant_filters: frozenset[str] | None = None
        self.recursions = 0
        self.is_in_sublink = 0
        self.bounded_relations: set[int] = set()
        self.view_depth = 0
        self.call_depth = 0
        self.has_secret_views = False
        """A view over labelled columns is read: its definition may hold constants that they are compared with."""

    def need(
        self,
        action: Action,
        resource: Resource,
        labels: frozenset[str] = frozenset(),
        facts: Mapping[str, Fact] | None = None,
    ) -> None:
        """The statement needs this operation."""
        self.adopt(Operation(action, resource, labels, facts or {}))

    def adopt(self, operation: Operation) -> None:
        """The statement needs this operation, too; what is compared with values adds up."""
        spend(150)
        key = operation_key(operation)
        known = self.operations.get(key)
        self.operations[key] = operation if known is None else compared.united(known, operation)
        if len(self.operations) > self.limits.operations:
            raise Refused(
                Reason.TOO_COMPLEX, f"the statement needs more than {self.limits.operations} operations"
            )

    def relation_mention(self, found: Found) -> None:
        """A definition names the relation: errors may carry what it holds, but nothing is read for the caller."""
        self.mentions.add(found.name)
        for column in self.index.of(found.schema, found.name).values():
            self.reached[column] = self.index.labels[column]

    def filter(
        self, taint: Taint, kind: str, values: Compared = compared.UNKNOWN, of: Node | None = None
    ) -> None:
        """Labelled columns decide which rows come, or whether there is an error, by the use of that kind at `of`."""
        spend(25 * len(taint))
        for column in sorted(taint, key=_path):  # a denial names the same one each time
            if column.path[2] in SYSTEM_SCHEMAS and column.path[3] not in catalogue.HOLDS_VALUES:
                continue
            if column.path[2:] == ANYTHING:  # what nobody sees through has its own operation
                continue
            found = self._first(values, kind, column, of)
            facts = compared.facts(kind, found)
            self.adopt(Operation(Action.FILTER, column, self.labels_of(column), facts, found.arrays))

    def compare(self, taint: Taint, values: int, of: Node) -> None:
        """Labelled columns are compared with so many constants or parameters."""
        self.filter(taint, "constant", Compared(values), of)

    def _first(self, values: Compared, kind: str, column: Resource, of: Node | None) -> Compared:
        """The same comparison of the same column counts once, however often it is walked."""
        if of is None:
            return values
        key = (id(of), kind, column)
        if key in self._filtered:
            return compared.NOTHING
        self._filtered[key] = of
        return values

    def derive(self, taint: Taint) -> None:
        """Labelled values go into something that is no plain output column."""
        if taint:
            spend(20 * len(taint))
            self.is_derived = self.is_derived or any(column in self.index.labels for column in taint)
            unknown = [column for column in taint if column not in self.index.labels]
            self.is_unknown = self.is_unknown or bool(unknown)
            self.hidden.update(column for column in unknown if column.path[2] in SYSTEM_SCHEMAS)

    def labels_of(self, column: Resource) -> frozenset[str]:
        """The labels of a column; every label of the database for one that is not known."""
        known = self.index.labels.get(column)
        return self.all_labels() if known is None else known

    def all_labels(self) -> frozenset[str]:
        spend(2 * len(self.index.labels))
        return self.view.all_labels

    def unknown_column(self, schema: str, relation: str, column: str) -> Taint:
        """What a column that cannot be looked up may carry: anything, unless nothing is labelled."""
        if not self.index.labels:
            return CLEAN
        return frozenset((column_resource(self.view.snapshot, schema, relation, column),))

    def anything(self) -> Taint:
        """What a value may carry of which nobody knows how it came to be."""
        return anything_of(self.view) if self.index.labels else CLEAN

    def unseen(self) -> Taint:
        """A function is called of which nobody knows what it does, and so what it returns."""
        self.is_unknown = self.calls_users = True
        return self.anything()

    def write(self, target: Found | None, column: str, taint: Taint) -> None:
        """A value with that taint is stored in a column: refused where it would lose a label there."""
        if target is not None and target.nature is Nature.OPAQUE:
            taint = frozenset(each for each in taint if each.path[2:4] != (target.schema, target.name))
        if not taint:
            return
        spend(20 * len(taint))
        if target is not None and target.is_temp:
            self.filter(taint, "other" if _is_watched(target, column) else "key")
            columns = self.written.setdefault(target.name, {})
            columns[column] = columns.get(column, CLEAN) | taint
            self.derive(taint)
            return
        place = f"{target.schema}.{target.name}.{column}" if target else column
        if any(each.path[2:] == ANYTHING for each in taint):
            raise undecided(
                f"what nobody sees through would be stored in {place}; if no labelled value can be in it,"
                " name the function under trusted_functions"
            )
        bears = self.labels_at(target, column)
        lost = frozenset().union(*(self.labels_of(each) for each in taint)) - bears
        if lost or any(each not in self.index.labels for each in taint):
            names = ", ".join(sorted(lost)) or "unknown"
            raise undecided(f"values labelled {names} would be stored in {place}, which bears no such label")
        if _is_watched(target, column):
            self.filter(taint, "other")
        self.derive(taint)

    def labels_at(self, target: Found | None, column: str) -> frozenset[str]:
        """The labels of a relation's column, by its name or by what this session made it of."""
        if target is None:
            return CLEAN_LABELS
        own = self.index.of(target.schema, target.name).get(column)
        bears = self.index.labels[own] if own else CLEAN_LABELS
        for each in target.overlaid.columns if target.overlaid else ():
            if each.name == column and each.is_same:
                bears |= frozenset().union(*(self.labels_of(one) for one in each.taint))
        return bears

    def reach(self, shape: Shape | None = None) -> Reach:
        """All that can be reached; `shape` is that of the rows that the caller gets."""
        spend(10 * len(self.index.labels if self.is_unknown else self.reached))
        columns = dict(self.index.labels if self.is_unknown else self.reached)
        # By name, because a description names them too: what else such a relation holds is the schema.
        if self.hidden:
            columns.update(dict.fromkeys(self.hidden, self.all_labels()))
        outputs = None
        if shape is not None and shape.rest is None:
            outputs = tuple(_output(cell, columns) for _, cell in shape.cells)
        return Reach(columns, self.is_derived, self.is_unknown, outputs)

    def facts(self) -> dict[str, Fact]:
        labels = frozenset().union(*self.reached.values()) if self.reached else frozenset()
        return {
            "is_bounded": self.is_bounded,
            "has_limit": self.has_limit,
            "limit": self.limit,
            "rows_estimate": self._rows(),
            "constant_filters": self.constant_filters or frozenset(),
            "touches": self.all_labels() if self.is_unknown and self.index.labels else labels,
            "is_derived": self.is_derived,
            "is_unknown": self.is_unknown,
            "has_triggers": self.has_triggers,
            "settings": frozenset(self.settings),
        }

    def _rows(self) -> int:
        """Rows of the largest table touched, as the snapshot estimates them; -1 where that is not known."""
        if self.is_unknown:
            return -1
        most = 0
        for oid, relation in self.touched.items():
            if oid in self.bounded_relations:
                most = max(most, 1)
            elif relation.rows_estimate < 0:
                return -1
            else:
                most = max(most, int(relation.rows_estimate))
        return min(most, self.limit) if self.limit > 0 else most


def _is_watched(target: Found | None, column: str) -> bool:
    """Whether what a value is decides if, or where, it is stored in a relation of the session's own making."""
    if target is None or target.overlaid is None:
        return False
    columns = target.overlaid.columns
    written = columns if column in ("?", "*") else [each for each in columns if each.name == column]
    return any(each.is_watched for each in written) or any(each.is_generated for each in columns)


def _path(column: Resource) -> tuple[str, ...]:
    return column.path


def anything_of(view: View) -> Taint:
    """Whatever could be in a database."""
    return frozenset((column_resource(view.snapshot, *ANYTHING),))


def _output(cell: Cell, known: Mapping[Resource, frozenset[str]]) -> Output:
    relation = cell.relation if cell.is_direct else None
    column = relation.column(cell.column) if relation else None
    columns = cell.taint and frozenset(each for each in cell.taint if each in known)
    return Output(
        columns=columns,
        is_same=cell.is_same,
        is_undecided=len(columns) != len(cell.taint),
        is_overlaid=cell.is_overlaid,
        origin=(relation.oid, column.attnum) if relation and column else None,
    )


CLEAN_LABELS: frozenset[str] = frozenset()
SYSTEM_SCHEMAS = frozenset({"pg_catalog", "information_schema"})
ANYTHING = ("?", "?", "?")
"""Where a value comes from of which nobody knows where it comes from: (schema, relation, column)."""
