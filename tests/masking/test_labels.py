"""labels.yaml: what is read, and every fault with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from narrows.masking import LabelError, parse_labels
from narrows.masking.builtin import BUILT_IN
from narrows.masking.labels import split_name
from narrows.masking.operators import OPERATORS
from narrows.model.label import DatabaseLabels, Labels, MaskRule, OperatorKind, Rung

HOMES = {"shop": "shop", "crm": "crm_main"}
WHOLE = """
labels:
  ssn:
    description: social security number
    none: {constant: "[hidden]"}
    token: {hash: {length: 12}}
    partial: {keep_last: {keep: 3, fill: "x"}}
  badge:
    token:
    partial: {keep_last: 2}
columns:
  shop:
    public.customers: {ssn: [ssn, pii], email: email}
    '"My Schema"."A.b"': {"Weird Name": badge}
  shop/archive:
    public.customers: {ssn: ssn}
trusted_functions:
  shop: [public.full_price, '"S"."f g"']
  crm: []
"""


def read(text: str) -> Labels:
    return parse_labels(text, HOMES)


def faults(text: str) -> list[str]:
    with pytest.raises(LabelError) as caught:
        read(text)
    assert str(caught.value).splitlines() == [str(fault) for fault in caught.value.faults]
    return [str(fault) for fault in caught.value.faults]


def test_everything_is_read() -> None:
    labels = read(WHOLE)
    ssn, badge = labels.labels["ssn"], labels.labels["badge"]
    assert ssn.description == "social security number"
    assert ssn.none == MaskRule(OperatorKind.CONSTANT, text="[hidden]")
    assert ssn.token == MaskRule(OperatorKind.HASH, length=12)
    assert ssn.partial == MaskRule(OperatorKind.KEEP_LAST, keep=3, fill="x")
    assert badge.none.operator is OperatorKind.CONSTANT
    assert badge.token.operator is OperatorKind.NULL
    shop = labels.of("shop", "shop")
    assert shop.columns == {
        ("public", "customers", "ssn"): {"ssn", "pii"},
        ("public", "customers", "email"): {"email"},
        ("My Schema", "A.b", "Weird Name"): {"badge"},
    }
    assert shop.trusted_functions == {("public", "full_price"), ("S", "f g")}
    assert labels.of("shop", "archive").columns == {("public", "customers", "ssn"): {"ssn"}}
    assert labels.of("crm", "crm_main") == DatabaseLabels()


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "labels:\ncolumns:\ntrusted_functions:\n", "{}"])
def test_nothing_is_no_labels_beside_the_built_in_ones(text: str) -> None:
    labels = read(text)
    assert labels.labels == BUILT_IN
    assert not labels.databases


def test_the_version_follows_the_text() -> None:
    assert read(WHOLE).version == read(WHOLE).version != read(WHOLE + "# more\n").version


def test_a_built_in_label_keeps_what_is_not_said_anew() -> None:
    own = read("labels: {ssn: {none: null}}").labels["ssn"]
    assert own.none.operator is OperatorKind.NULL
    assert (own.token, own.partial) == (BUILT_IN["ssn"].token, BUILT_IN["ssn"].partial)


@pytest.mark.parametrize("label", BUILT_IN.values(), ids=lambda label: label.name)
def test_built_in_labels_use_only_what_their_rungs_allow(label: object) -> None:
    for rung in (Rung.NONE, Rung.TOKEN, Rung.PARTIAL):
        rule = label.rule_at(rung)  # type: ignore[attr-defined]
        assert rung in OPERATORS[rule.operator].rungs


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("labels: {a: {none: keep_last}}", "labels.a.none: keep_last cannot stand for this rung"),
        ("labels: {a: {none: hash}}", "labels.a.none: hash cannot stand for this rung"),
        ("labels: {a: {token: {keep_last: 2}}}", "labels.a.token: keep_last cannot stand for this rung"),
        ("labels: {a: {token: hsh}}", 'labels.a.token: no operator is called "hsh"; did you mean "hash"?'),
        (
            "labels: {a: {token: {hash: {length: 4}}}}",
            "labels.a.token.hash: the length should be a number from 8 to 64",
        ),
        ("labels: {a: {token: {hash: {size: 4}}}}", "the length should be"),
        ("labels: {a: {token: {hash: yes}}}", "the length should be"),
        (
            "labels: {a: {partial: {keep_last: 0}}}",
            "labels.a.partial.keep_last: keep should be a number from 1 to 32",
        ),
        ("labels: {a: {partial: {keep_last: true}}}", "keep should be a number"),
        (
            "labels: {a: {partial: {keep_last: {kep: 3}}}}",
            "labels.a.partial.keep_last.kep: is not an argument",
        ),
        ("labels: {a: {partial: {keep_last: {fill: xx}}}}", "fill should be one printable character"),
        ("labels: {a: {none: {constant: 5}}}", "the constant should be one line of printable text"),
        ('labels: {a: {none: {constant: "a\\nb"}}}', "the constant should be one line"),
        ('labels: {a: {none: {constant: ""}}}', "the constant should be one line"),
        ("labels: {a: {none: {null: 3}}}", "null takes no arguments"),
        ("labels: {a: {none: {constant: x, hash: 8}}}", "should name one operator, not a mapping"),
        ("labels: {a: {none: [constant]}}", "should name one operator, not a list"),
        ("labels: {a: {raw: null}}", "labels.a.raw: is not a rung"),
        (
            "labels: {a: 3}",
            "labels.a: should be a mapping of description, none, token and partial, not a number",
        ),
        ("labels: {A b: {}}", "labels.A b: is not a label's name"),
        ("labels: [a]", "labels: should be a mapping of labels, not a list"),
        ("lables: {}", 'lables: is not a section of labels.yaml; did you mean "labels"?'),
        ("columns: {shp: {}}", 'columns.shp: no connection is called "shp"; did you mean "shop"?'),
        ("columns: {shop/shop: {}}", 'names the connection\'s own database; write "shop" alone'),
        ("columns: {shop/: {}}", "names the connection's own database"),
        (
            "columns: {shop: {customers: {a: pii}}}",
            "columns.shop.customers: is not a table's name; write it as schema.table",
        ),
        ("columns: {shop: {a.b.c: {a: pii}}}", "is not a table's name"),
        (
            "columns: {shop: {a.b: {a: pi}}}",
            'columns.shop.a.b.a: no label is called "pi"; did you mean "pii"?',
        ),
        ("columns: {shop: {a.b: {a: []}}}", "has no label; name one, or remove the column"),
        ("columns: {shop: {a.b: {a: }}}", "a label is a word, not nothing"),
        ("columns: {shop: {a.b: [a]}}", "should be a mapping of columns, not a list"),
        ("columns: {shop: {a.b: {on: pii}}}", "the key is not text; put it in quotes"),
        ("columns: {shop: {a.b: {x: pii}, '\"a\".b': {x: ssn}}}", "stands twice, written in two ways"),
        ("trusted_functions: {shop: public.f}", "should be a list of functions, not text"),
        (
            "trusted_functions: {shop: ['public.f(int)']}",
            "trusted_functions.shop[0]: is not a function's name",
        ),
        ("a: [", "not YAML"),
        ("a: &x 1\nb: *x", "aliases (*name) are not used here"),
        ("- 1", "should be a mapping of sections, not a list"),
        ("a: !!python/name:os.system x", "not YAML"),
        ("--- {}\n--- {}", "not YAML"),
    ],
)
def test_a_fault_is_said_with_its_path(text: str, fault: str) -> None:
    found = faults(text)
    assert any(fault in each for each in found), found


def test_a_key_that_stands_twice_would_unmask_in_silence() -> None:
    text = "columns:\n  shop:\n    public.c:\n      ssn: ssn\n      ssn: []\n"
    assert "line 5 columns.shop.public.c.ssn: stands twice; keep one of the two" in faults(text)


def test_all_faults_are_said_at_once_with_their_lines() -> None:
    text = "labels:\n  a:\n    none: hash\n    token: nope\ncolumns:\n  shop:\n    c: {}\n  nowhere: {}\n"
    assert [fault.split(":")[0] for fault in faults(text)] == [
        "line 3 labels.a.none",
        "line 4 labels.a.token",
        "line 7 columns.shop.c",
        "line 8 columns.nowhere",
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a.b", ("a", "b")),
        ('"a.b".c', ("a.b", "c")),
        ('"a""b".c', ('a"b', "c")),
        ("ünï.größe", ("ünï", "größe")),
        ("a", ("a",)),
        *((bad, ()) for bad in ("", ".", "a.", ".a", "a..b", '"a', "a b", "1a", 'a"b"', "a.b ")),
    ],
)
def test_names_are_split_at_their_dots(text: str, names: tuple[str, ...]) -> None:
    assert split_name(text) == names


def test_ten_thousand_columns_are_read() -> None:
    rows = "\n".join(f"      c{number}: pii" for number in range(10_000))
    assert len(read(f"columns:\n  shop:\n    public.t:\n{rows}\n").of("shop", "shop").columns) == 10_000


def test_the_sample_of_the_policy_tests_is_read() -> None:
    text = (Path(__file__).parents[1] / "policy" / "data" / "labels.yaml").read_text()
    assert read(text).of("shop", "shop").columns["public", "staff", "pay"] == {"ssn", "salary"}
