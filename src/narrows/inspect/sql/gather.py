"""What one statement needs and reaches, collected while its tree is walked.

Law: things are only ever added: no later part of a statement takes back what an earlier one needs.
"""

from __future__ import annotations

from collections.abc import Mapping

from narrows.inspect.sql import catalogue
from narrows.inspect.sql.analysis import SessionState, View, operation_key
from narrows.inspect.sql.labelled import CLEAN, Taint, column_resource
from narrows.inspect.sql.limits import Limits
from narrows.inspect.sql.names import Found, Names, Nature
from narrows.inspect.sql.refused import Refused, undecided
from narrows.inspect.sql.scope import Cell, Shape
from narrows.inspect.sql.work import spend
from narrows.model.action import Action
from narrows.model.reach import Reach
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
        self.reached: dict[Resource, frozenset[str]] = {}
        self.touched: dict[int, Relation] = {}
        self.mentions: set[str] = set()
        self.settings: set[str] = set()
        self.tracked_calls: list[tuple[str, str, bool]] = []
        """(setting, value, is local) of each set_config of a tracked setting."""
        self.tainted_temps: set[str] = set()
        self.hidden: set[Resource] = set()
        """Columns of system relations that hold values or statements, and whose values are used."""
        self.calls_users = False
        """A user's function that nobody vouches for is called: it may change the session."""
        self.unseen_calls = 0
        """How often such functions are called."""
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

    def need(
        self,
        action: Action,
        resource: Resource,
        labels: frozenset[str] = frozenset(),
        facts: Mapping[str, Fact] | None = None,
    ) -> None:
        """The statement needs this operation."""
        spend(150)
        operation = Operation(action, resource, labels, facts or {})
        self.operations.setdefault(operation_key(operation), operation)
        if len(self.operations) > self.limits.operations:
            raise Refused(
                Reason.TOO_COMPLEX, f"the statement needs more than {self.limits.operations} operations"
            )

    def relation(self, action: Action, found: Found) -> None:
        """The statement does this to that relation, and its replies may carry what the relation holds."""
        self.mentions.add(found.name)
        labelled = self.index.of(found.schema, found.name)
        spend(20 * len(labelled))
        labels = (
            frozenset().union(*(self.index.labels[each] for each in labelled.values()))
            if labelled
            else CLEAN_LABELS
        )
        if (
            found.nature is Nature.SYSTEM
            and action is Action.SELECT
            and found.name not in catalogue.HOLDS_VALUES
        ):
            action = Action.SHOW  # browsing the schema is what every client does, not reading a table
        self.need(action, self.names.table(found.schema, found.name), labels)
        for column in labelled.values():
            self.reached[column] = self.index.labels[column]
        if found.nature is Nature.OPAQUE:
            self.is_unknown = True
        elif found.relation is not None:
            self.touched[found.relation.oid] = found.relation

    def relation_mention(self, found: Found) -> None:
        """A definition names the relation: errors may carry what it holds, but nothing is read for the caller."""
        self.mentions.add(found.name)
        for column in self.index.of(found.schema, found.name).values():
            self.reached[column] = self.index.labels[column]

    def filter(self, taint: Taint, kind: str) -> None:
        """Labelled columns decide which rows come, by a condition of that kind."""
        spend(20 * len(taint))
        for column in taint:
            if column.path[2] in SYSTEM_SCHEMAS and column.path[3] not in catalogue.HOLDS_VALUES:
                continue
            self.need(Action.FILTER, column, self.labels_of(column), {"kind": kind})

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
        return frozenset().union(*self.index.labels.values())

    def unknown_column(self, schema: str, relation: str, column: str) -> Taint:
        """What a column that cannot be looked up may carry: anything, unless nothing is labelled."""
        if not self.index.labels:
            return CLEAN
        return frozenset((column_resource(self.view.snapshot, schema, relation, column),))

    def write(self, target: Found | None, column: str, taint: Taint) -> None:
        """A value with that taint is stored in a column: refused where it would lose a label there."""
        if target is not None and target.nature is Nature.OPAQUE:
            taint = frozenset(each for each in taint if each.path[2:4] != (target.schema, target.name))
        if not taint:
            return
        spend(20 * len(taint))
        if target is not None and target.is_temp:
            self.tainted_temps.add(target.name)
            self.derive(taint)
            return
        own = self.index.of(target.schema, target.name).get(column) if target else None
        bears = self.index.labels[own] if own else frozenset()
        lost = frozenset().union(*(self.labels_of(each) for each in taint)) - bears
        if lost or any(each not in self.index.labels for each in taint):
            place = f"{target.name}.{column}" if target else column
            names = ", ".join(sorted(lost)) or "unknown"
            raise undecided(f"values labelled {names} would be stored in {place}, which bears no such label")
        self.derive(taint)

    def unseen(self) -> None:
        """A function is called of which nobody knows what it does."""
        self.unseen_calls += 1
        self.is_unknown = self.calls_users = True

    def keep(self, target: Found, before: int) -> None:
        """What was evaluated since there were `before` unseen calls is stored: nobody knows what they return."""
        if self.unseen_calls == before or not self.index.labels:
            return
        if not target.is_temp:
            place = f"{target.schema}.{target.name}"
            raise undecided(
                f"what a function returns would be stored in {place}; if no labelled value can be in it,"
                " name the function under trusted_functions"
            )
        self.tainted_temps.add(target.name)

    def reach(self) -> Reach:
        spend(10 * len(self.index.labels if self.is_unknown else self.reached))
        columns = dict(self.index.labels if self.is_unknown else self.reached)
        # By name, because a description names them too: what else such a relation holds is the schema.
        columns.update(dict.fromkeys(self.hidden, self.all_labels()))
        return Reach(columns, self.is_derived, self.is_unknown)

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


CLEAN_LABELS: frozenset[str] = frozenset()
SYSTEM_SCHEMAS = frozenset({"pg_catalog", "information_schema"})


def relation_shape(gather: Gather, found: Found) -> Shape:
    """The columns of a relation as a FROM item."""
    labelled = gather.index.of(found.schema, found.name)
    relation = found.relation
    if found.nature is Nature.SYSTEM:
        return _system_shape(gather, found)
    if found.is_temp and found.name not in gather.state.facts.tainted:
        return Shape(rest=CLEAN)
    if found.nature is not Nature.PLAIN or relation is None:
        return Shape(rest=gather.unknown_column(found.schema, found.name, "*"))
    spend(8 * len(relation.columns))
    return Shape(
        tuple(
            (
                column.name,
                Cell(
                    frozenset((labelled[column.name],)) if column.name in labelled else CLEAN,
                    True,
                    relation,
                    column.name,
                ),
            )
            for column in relation.columns
        )
    )


def _system_shape(gather: Gather, found: Found) -> Shape:
    """A system relation shows the schema, but for the columns that carry values, statements or secrets."""
    hidden, rest = catalogue.VALUE_COLUMNS.get(found.name, CLEAN_LABELS), CLEAN
    if hidden == catalogue.ALL:
        gather.is_unknown = True
        rest = gather.unknown_column(found.schema, found.name, "*")
        hidden = (
            frozenset(column.name for column in found.relation.columns) if found.relation else CLEAN_LABELS
        )
    cells = tuple(
        (name, Cell(gather.unknown_column(found.schema, found.name, name))) for name in sorted(hidden)
    )
    return Shape(cells, rest=rest)
