"""Which column of a result is masked, and how, from its description alone."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.core import PASS, PASS_ALL, MaskOp
from narrows.masking import MaskImpossible, bearers
from narrows.masking.bearers import bearers_of
from narrows.masking.operators.hash import label_key
from narrows.masking.plan import Disagreement
from narrows.model.label import Labels, Rung
from narrows.model.reach import Output, Reach
from narrows.model.resource import Resource
from narrows.wire.postgres.backend import Field
from tests.masking.world import (
    CITEXT,
    CUSTOMER_TYPES,
    CUSTOMERS,
    EVENTS,
    EVENTS_2024,
    FOREIGN,
    INT4,
    KEY,
    LABELS,
    NEWER,
    NO_LABELS,
    ORDERS,
    PG_CLASS,
    PLAIN_VIEW,
    SNAPSHOT,
    TEXT,
    TEXTS,
    UUID,
    VIEW,
    apply,
    column,
    field,
    plan,
    reach,
)

SSN, EMAIL = column("customers", "ssn"), column("customers", "email")
VALUE = b"078-05-1120"


def ops(fields: Sequence[Field], *rest: object, **more: object) -> list[str]:
    """The operations of a plan, by name."""
    made = plan(fields, *rest, **more)  # type: ignore[arg-type]
    return [mask.op.value for mask in made.columns or ()]


def shown(name: str, rung: Rung, value: bytes, format_: int = 0) -> bytes | None:
    """A value of a labelled column as somebody at that rung gets it."""
    of = column("customers", name)
    made = plan([field(CUSTOMERS, name)], reach(of), {of: rung}, [format_])
    return apply(made, [value])[0]


# The ladder -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", [0, 1])
def test_the_same_value_at_every_rung(format_: int) -> None:
    token = hmac.new(label_key(KEY, "ssn"), VALUE, hashlib.sha256).hexdigest()[:12].encode()
    assert shown("ssn", Rung.RAW, VALUE, format_) == VALUE
    assert shown("ssn", Rung.PARTIAL, VALUE, format_) == b"*******1120"
    assert shown("ssn", Rung.TOKEN, VALUE, format_) == token
    assert shown("ssn", Rung.NONE, VALUE, format_) == b"***"


def test_a_column_without_a_rung_shows_nothing() -> None:
    assert apply(plan([field(CUSTOMERS, "ssn")], reach(SSN), {}), [VALUE]) == (b"***",)


def test_null_stays_null() -> None:
    for rung in (Rung.NONE, Rung.TOKEN, Rung.PARTIAL):
        assert apply(plan([field(CUSTOMERS, "ssn")], reach(SSN), {SSN: rung}), [None]) == (None,)


def test_what_a_type_cannot_hold_becomes_null() -> None:
    for name in ("born", "profile", "extra", "note"):
        for format_ in (0, 1):
            value = shown(name, Rung.TOKEN, b"x", format_)
            assert value is None
    assert shown("born", Rung.NONE, b"1970-01-01") is None


def test_a_constant_is_written_as_its_type_and_format_write_it() -> None:
    assert json.loads(shown("profile", Rung.NONE, b"{}") or b"") == "<&>"
    assert json.loads(shown("profile", Rung.NONE, b"{}", 1) or b"") == "<&>"
    assert json.loads(shown("extra", Rung.NONE, b"{}") or b"") == "<&>"
    binary = shown("extra", Rung.NONE, b"\x01{}", 1) or b""
    assert (binary[:1], json.loads(binary[1:])) == (b"\x01", "<&>")
    assert shown("note", Rung.NONE, b"<a/>") == b"&lt;&amp;&gt;"


def test_a_text_type_of_an_extension_is_text() -> None:
    assert CUSTOMER_TYPES["code"] == CITEXT
    assert shown("code", Rung.PARTIAL, VALUE) == b"*******1120"


@pytest.mark.parametrize(
    ("rung", "masked"), [(Rung.NONE, b"***"), (Rung.PARTIAL, b"seen"), (Rung.TOKEN, None)]
)
def test_of_several_labels_the_strictest_mask_holds(rung: Rung, masked: bytes | None) -> None:
    value = shown("both", rung, VALUE)
    assert value in (masked, b"<&>") if rung is Rung.NONE else value == masked


def test_equal_values_have_equal_tokens_in_every_table_under_one_label_and_no_other() -> None:
    who = column("events", "who")
    fields = [field(CUSTOMERS, "email"), field(EVENTS, "who"), field(CUSTOMERS, "ssn")]
    rungs = dict.fromkeys((EMAIL, who, SSN), Rung.TOKEN)
    one, same, other = apply(plan(fields, reach(EMAIL, who, SSN), rungs), [VALUE] * 3)
    assert one == same
    assert one is not None and other is not None
    assert one[:12] != other
    (elsewhere,) = apply(plan(fields[:1], reach(EMAIL), rungs, key=b"another"), [VALUE])
    assert elsewhere != one


def test_the_key_shows_nowhere() -> None:
    assert "kkkk" not in repr(plan([field(CUSTOMERS, "ssn")], reach(SSN), {SSN: Rung.TOKEN}))


# Which columns ----------------------------------------------------------------------------------------------


def test_without_labels_nothing_is_looked_at() -> None:
    assert plan([field(CUSTOMERS, "ssn")], labels=NO_LABELS) is PASS_ALL


def test_clean_columns_of_plain_tables_pass_beside_masked_ones_whatever_the_statement_does() -> None:
    fields = [
        field(CUSTOMERS, "id"),
        field(CUSTOMERS, "ssn"),
        field(CUSTOMERS, "city"),
        field(ORDERS, "what"),
    ]
    for at in (reach(SSN), reach(SSN, is_derived=True), reach(SSN, is_unknown=True)):
        assert ops(fields, at, {SSN: Rung.PARTIAL}) == ["pass", "keep_last", "pass", "pass"]


def test_a_labelled_column_that_the_analysis_missed_is_masked() -> None:
    assert ops([field(CUSTOMERS, "ssn")], reach()) == ["constant"]


def test_a_column_that_the_analysis_found_labelled_is_masked_though_no_label_names_it() -> None:
    closure = column("orders", "email")
    same = Output(frozenset({closure}), is_same=True)
    at = Reach({closure: frozenset({"email"})}, outputs=(same,))
    assert ops([field(ORDERS, "email")], at, {closure: Rung.PARTIAL}) == ["keep_last"]
    assert ops([field(ORDERS, "email")], at) == ["constant"]


@pytest.mark.parametrize("outputs", [None, (Output(frozenset({column("orders", "email")})),)])
def test_a_column_made_of_labelled_ones_is_masked_strictest_unless_raw(
    outputs: tuple[Output, ...] | None,
) -> None:
    made = column("orders", "email")
    at = Reach({made: frozenset({"email"})}, outputs=outputs)
    assert ops([field(ORDERS, "email")], at, {made: Rung.PARTIAL}) == ["cover"]
    assert ops([field(ORDERS, "email")], at, {made: Rung.RAW}) == ["pass"]


PROVENANCE = [
    (Output(), {}, "pass"),
    (Output(frozenset({SSN})), {}, "cover"),
    (Output(frozenset({SSN})), {SSN: Rung.PARTIAL}, "cover"),
    (Output(frozenset({SSN})), {SSN: Rung.RAW}, "pass"),
    (Output(frozenset({SSN}), is_same=True), {}, "constant"),
    (Output(frozenset({SSN}), is_same=True), {SSN: Rung.PARTIAL}, "keep_last"),
    (Output(is_undecided=True), {}, "cover"),
    (Output(is_undecided=True), {SSN: Rung.RAW}, "pass"),
]


@pytest.mark.parametrize(("output", "rungs", "op"), PROVENANCE)
def test_an_expression_is_masked_by_its_own_provenance(
    output: Output, rungs: dict[Resource, Rung], op: str
) -> None:
    at = replace(reach(SSN, is_derived=True, is_unknown=True), outputs=(output,))
    assert ops([Field("x", 0, 0, TEXT, -1, -1, 0)], at, rungs) == [op]


def test_a_relation_that_nobody_knows_is_masked_unless_it_is_the_sessions_own() -> None:
    unknown = [Field("x", 99_999, 1, TEXT, -1, -1, 0)]
    at = replace(reach(SSN), outputs=(Output(),))
    assert ops(unknown, at) == ["cover"]
    assert ops(unknown, replace(at, outputs=(Output(is_overlaid=True),))) == ["pass"]


def test_what_is_described_otherwise_than_expected_has_no_plan() -> None:
    at = replace(reach(SSN), outputs=(Output(origin=(ORDERS, 1)),))
    with pytest.raises(Disagreement):
        ops([field(CUSTOMERS, "id")], at)
    with pytest.raises(Disagreement):
        ops([field(ORDERS, "id"), field(ORDERS, "id")], at)
    assert ops([Field("ssn", CUSTOMERS, 2, TEXT, -1, -1, 0)], at) == ["constant"]


def test_the_output_name_means_nothing() -> None:
    alias = Field("city", CUSTOMERS, 2, TEXT, -1, -1, 0)
    harmless = Field("ssn", CUSTOMERS, 10, TEXT, -1, -1, 0)
    assert ops([alias, harmless], reach(SSN)) == ["constant", "pass"]


def test_partitions_and_parents_bear_each_others_labels() -> None:
    assert ops([field(EVENTS_2024, "who"), field(EVENTS_2024, "id"), field(EVENTS, "who")]) == [
        "constant",
        "pass",
        "constant",
    ]


@pytest.mark.parametrize(
    ("at", "op"),
    [
        (Reach(), "pass"),
        (reach(SSN), "pass"),
        (reach(SSN, is_derived=True), "cover"),
        (reach(SSN, is_unknown=True), "cover"),
        (Reach(is_unknown=True), "cover"),
        (Reach(is_derived=True), "pass"),
    ],
)
def test_an_expression_is_masked_where_a_labelled_value_could_be_in_it(at: Reach, op: str) -> None:
    assert ops([field(0)], at) == [op]


@pytest.mark.parametrize("type_oid", [INT4, UUID, TEXTS, 0, 4294967295])
def test_an_expression_of_a_type_that_holds_no_text_becomes_null(type_oid: int) -> None:
    assert ops([field(0, type_oid=type_oid)], reach(SSN, is_derived=True)) == ["null"]


def test_an_expression_passes_where_all_that_can_be_reached_is_raw_for_this_caller() -> None:
    both = reach(SSN, EMAIL, is_derived=True)
    assert ops([field(0)], both, {SSN: Rung.RAW, EMAIL: Rung.RAW}) == ["pass"]
    assert ops([field(0)], both, {SSN: Rung.RAW, EMAIL: Rung.PARTIAL}) == ["cover"]
    assert ops([field(0)], both, {SSN: Rung.RAW}) == ["cover"]


def test_a_whole_row_is_no_column() -> None:
    """`SELECT c FROM customers c`: PostgreSQL names the table and attribute 0."""
    whole = Field("c", CUSTOMERS, 0, 16401, -1, -1, 0)
    assert ops([whole], reach(SSN)) == ["null"]
    assert ops([whole], reach(SSN), {SSN: Rung.RAW}) == ["pass"]


def test_a_systems_column_of_a_plain_table_passes() -> None:
    assert ops([field(CUSTOMERS, "ctid", 27, attnum=-1)], reach(SSN)) == ["pass"]


@pytest.mark.parametrize("one", [field(NEWER, "x", attnum=1), field(CUSTOMERS, "newer", attnum=11)])
def test_what_the_snapshot_does_not_know_is_masked(one: Field) -> None:
    assert ops([one]) == ["cover"]
    assert ops([one], reach(SSN)) == ["cover"]
    assert ops([one], reach(SSN), {SSN: Rung.RAW}) == ["pass"]


@pytest.mark.parametrize("oid", [PLAIN_VIEW, FOREIGN])
def test_a_view_passes_where_the_statement_can_reach_nothing_labelled(oid: int) -> None:
    assert ops([field(oid, "city")]) == ["pass"]
    assert ops([field(oid, "city")], reach(SSN)) == ["cover"]
    assert ops([field(oid, "city")], reach(SSN, is_unknown=True)) == ["cover"]
    assert ops([field(oid, "city")], reach(SSN, is_unknown=True), {SSN: Rung.RAW}) == ["pass"]


def test_a_views_own_label_gives_its_mask() -> None:
    of = column("view_of_all", "shown")
    assert ops([field(VIEW, "shown")], reach(of, is_unknown=True), {of: Rung.PARTIAL}) == ["keep_last"]


def test_postgresqls_own_tables_follow_the_analysis() -> None:
    relname = Field("relname", PG_CLASS, 2, 19, 64, -1, 0)
    assert ops([relname]) == ["pass"]
    assert ops([relname], reach(SSN)) == ["pass"]
    assert ops([relname], reach(SSN, is_unknown=True)) == ["cover"]


def test_a_label_without_a_definition_shows_nothing() -> None:
    bare = Labels({}, LABELS.databases, "bare")
    assert ops([field(CUSTOMERS, "ssn")], reach(SSN), {SSN: Rung.PARTIAL}, labels=bare) == ["constant"]


# Formats ----------------------------------------------------------------------------------------------------


def test_formats_are_none_one_or_one_for_each() -> None:
    extra = column("customers", "extra")
    fields = [field(CUSTOMERS, "extra")] * 2
    for formats, expected in (((), [0, 0]), ((1,), [1, 1]), ((0, 1), [0, 1])):
        made = plan(fields, reach(extra), {}, formats)
        assert [int(mask.text[:1] == b"\x01") for mask in made.columns or ()] == expected


@pytest.mark.parametrize("formats", [(2,), (0, 1), (0, 0, 0, 0), (-1,)])
def test_formats_that_do_not_fit_cannot_be_masked(formats: tuple[int, ...]) -> None:
    with pytest.raises(MaskImpossible):
        plan([field(CUSTOMERS, "ssn")] * 3, reach(SSN), {}, formats)


def test_no_columns_is_a_plan_too() -> None:
    assert plan([], reach(SSN)).columns == ()


# Properties -------------------------------------------------------------------------------------------------

LABELLED = [
    one for one in CUSTOMER_TYPES if ("public", "customers", one) in LABELS.of("shop", "shop").columns
]
any_reach = st.builds(
    lambda names, derived, unknown: reach(
        *(column("customers", n) for n in names), is_derived=derived, is_unknown=unknown
    ),
    st.sets(st.sampled_from(LABELLED)),
    st.booleans(),
    st.booleans(),
)
any_rungs = st.dictionaries(
    st.sampled_from(LABELLED).map(lambda n: column("customers", n)), st.sampled_from(Rung)
)
any_field = st.builds(
    Field,
    name=st.text(max_size=3),
    table_oid=st.sampled_from([0, PG_CLASS, NEWER, *SNAPSHOT.relations]),
    attnum=st.integers(-2, 12),
    type_oid=st.sampled_from([TEXT, INT4, 114, 3802, CITEXT, 0]),
    type_size=st.just(-1),
    typmod=st.just(-1),
    format=st.just(0),
)


@given(st.lists(any_field, max_size=6), any_reach, any_rungs, st.sampled_from([(), (0,), (1,)]))
def test_no_labelled_column_passes_below_raw(
    fields: list[Field], at: Reach, rungs: dict[Resource, Rung], formats: tuple[int, ...]
) -> None:
    made = plan(fields, at, rungs, formats)
    assert made.columns is not None
    assert len(made.columns) == len(fields)
    for one, mask in zip(fields, made.columns, strict=True):
        known = SNAPSHOT.relations.get(one.table_oid)
        name = next((c.name for c in known.columns if c.attnum == one.attnum), None) if known else None
        if one.table_oid == CUSTOMERS and name in LABELLED and mask == PASS:
            assert rungs.get(column("customers", name)) is Rung.RAW


@given(st.lists(any_field, max_size=4), any_reach, any_rungs)
def test_a_higher_rung_never_masks_what_a_lower_one_passes(
    fields: list[Field], at: Reach, rungs: dict[Resource, Rung]
) -> None:
    higher = {of: Rung(min(rung + 1, Rung.RAW)) for of, rung in rungs.items()}
    for low, high in zip(
        plan(fields, at, rungs).columns or (), plan(fields, at, higher).columns or (), strict=True
    ):
        assert low.op is not MaskOp.PASS or high.op is MaskOp.PASS


@given(st.text(), st.sampled_from([Rung.NONE, Rung.TOKEN, Rung.PARTIAL]))
def test_a_masked_text_shows_at_most_its_last_four_characters(value: str, rung: Rung) -> None:
    masked = shown("ssn", rung, value.replace("\0", "").encode("utf-8", "replace"))
    clean = value.replace("\0", "").encode("utf-8", "replace").decode()
    assert masked is not None
    if rung is Rung.PARTIAL:
        text = masked.decode()
        assert len(text) == len(clean)
        tail = clean[-4:] if len(clean) > 8 else ""
        assert text == "*" * (len(clean) - len(tail)) + tail
    else:
        assert len(masked) == (12 if rung is Rung.TOKEN else 3)


# What is made once ------------------------------------------------------------------------------------------


def test_the_labelled_attributes_are_found_once_for_a_snapshot_and_anew_for_another() -> None:
    known = bearers_of(SNAPSHOT, LABELS)
    assert bearers_of(SNAPSHOT, LABELS) is known
    moved = replace(SNAPSHOT, relations={})
    assert bearers_of(moved, LABELS).labels == {}, "though its id is the same"
    assert bearers_of(SNAPSHOT, Labels()).labels == {}
    for _ in range(100):
        bearers_of(replace(SNAPSHOT), LABELS)
    assert len(bearers._KNOWN) <= bearers._KNOWN_LIMIT
