"""Whatever the text: analysis answers, answers the same again, and never writes a secret down."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from narrows.inspect import sql
from tests.inspect.sql.sample import VIEW, analyse, marks, reason

COLUMNS = st.sampled_from(
    ["id", "name", "ssn", "email", "c.ssn", "customers.dob", "nobody", "c", "*", "1", "'x'", "$1", "NULL"]
)
TABLES = st.sampled_from(
    [
        "customers",
        "customers c",
        "orders",
        "kyc",
        "v_contacts",
        "nowhere",
        "payroll p(a, b, c)",
        "evil.scratch",
        "events",
    ]
)


def _wrap(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    two = st.tuples(inner, inner)
    return st.one_of(
        inner.map(lambda each: f"({each})"),
        inner.map(lambda each: f"upper({each}::text)"),
        inner.map(lambda each: f"get_ssn({each})"),
        inner.map(lambda each: f"count({each})"),
        inner.map(lambda each: f"ARRAY[{each}]"),
        inner.map(lambda each: f"rank() OVER (ORDER BY {each})"),
        inner.map(lambda each: f"(SELECT {each} FROM customers c)"),
        inner.map(lambda each: f"EXISTS (SELECT 1 FROM kyc WHERE {each} IS NULL)"),
        two.map(lambda each: f"({each[0]} || {each[1]})"),
        two.map(lambda each: f"({each[0]} = {each[1]})"),
        two.map(lambda each: f"CASE WHEN {each[0]} IS NULL THEN {each[1]} END"),
        two.map(lambda each: f"coalesce({each[0]}, {each[1]})"),
    )


EXPRESSIONS = st.recursive(COLUMNS, _wrap, max_leaves=6)


@st.composite
def queries(draw: st.DrawFn, depth: int = 2) -> str:
    source = draw(TABLES)
    if depth and draw(st.booleans()):
        source = f"({draw(queries(depth=depth - 1))}) AS s"
    if draw(st.booleans()):
        join = draw(
            st.sampled_from(
                ["NATURAL JOIN kyc", "JOIN kyc USING (ssn)", "CROSS JOIN orders", "LEFT JOIN kyc k ON true"]
            )
        )
        source = f"{source} {join}"
    text = f"SELECT {', '.join(draw(st.lists(EXPRESSIONS, min_size=1, max_size=3)))} FROM {source}"
    if draw(st.booleans()):
        text += f" WHERE {draw(EXPRESSIONS)} = {draw(EXPRESSIONS)}"
    if draw(st.booleans()):
        text += f" ORDER BY {draw(EXPRESSIONS)}"
    if depth and draw(st.integers(0, 4)) == 0:
        text = f"({text}) UNION ({draw(queries(depth=depth - 1))})"
    if depth and draw(st.integers(0, 4)) == 0:
        text = f"WITH x AS ({text}) SELECT * FROM x"
    return text


@given(st.one_of(queries(), st.text(), queries().map(lambda each: each[: len(each) // 2])))
@settings(max_examples=400, deadline=None)
def test_analysis_never_raises_and_always_answers_the_same(text: str) -> None:
    first, second = analyse(text), sql.analyse(text, VIEW)
    assert first == second
    assert (first.refusal is None) or (first.parts == ())
    assert first.statement() == second.statement()


@given(queries())
@settings(max_examples=200, deadline=None)
def test_no_shape_of_query_is_unforeseen(text: str) -> None:
    refusal = analyse(text).refusal
    assert refusal is None or "has a shape" not in refusal.message


@given(EXPRESSIONS.filter(lambda each: "ssn" in each.split("(")[-1] or "ssn" in each))
@settings(max_examples=300, deadline=None)
def test_a_labelled_column_inside_any_expression_is_noticed(inner: str) -> None:
    """As an output it is derived, direct, a filter, or the statement is unknown or refused: never nothing."""
    analysis = analyse(f"SELECT ({inner}) || '' FROM customers c")
    if analysis.refusal is None:
        is_filtered = any(each.action == "filter" for each in analysis.statement().operations)
        assert marks(analysis) != "-" or is_filtered


PASSWORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=6).map(
    lambda each: "zq" + each + "qz"
)


@given(
    PASSWORDS,
    st.sampled_from(
        [
            "ALTER ROLE bob PASSWORD {}",
            "CREATE ROLE bob LOGIN ENCRYPTED PASSWORD {} VALID UNTIL '2030-01-01'",
            "SELECT 'é'; CREATE USER bob PASSWORD {}; SELECT 1",
            "CREATE USER MAPPING FOR bob SERVER s OPTIONS (password {})",
            "CREATE SUBSCRIPTION s CONNECTION {} PUBLICATION p",
            "ALTER SYSTEM SET primary_conninfo = 'x'; ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password {})",
            "SELECT crypt({}, 'x')",
            "SET narrows.token = {}",
        ]
    ),
    st.sampled_from(["plain", "escape", "dollar"]),
)
@settings(max_examples=300, deadline=None)
def test_a_password_is_never_written_down(password: str, template: str, quoting: str) -> None:
    literal = {
        "plain": "'" + password.replace("'", "''") + "'",
        "escape": "E'" + password.replace("\\", "\\\\").replace("'", "\\'") + "'",
        "dollar": f"$pw${password.replace('$', '')}$pw$",
    }[quoting]
    redacted = analyse(template.format(literal)).text_redacted
    assert literal not in redacted
    assert redacted == template.format("'<secret>'").replace(", 'x')", ", '<secret>')")


@given(st.sampled_from(["(", "NOT ", "(SELECT ", "1+", "ARRAY[", "f(", "CASE WHEN "]), st.integers(1, 2000))
@settings(max_examples=100, deadline=None)
def test_nesting_of_any_depth_is_answered(opening: str, depth: int) -> None:
    closing = {"(": ")", "(SELECT ": ")", "ARRAY[": "]", "f(": ")", "CASE WHEN ": " THEN 1 END"}.get(
        opening, ""
    )
    value = "true" if opening in ("NOT ", "CASE WHEN ") else "1"
    found = reason(analyse(f"SELECT {opening * depth}{value}{closing * depth}"))
    assert found in (None, "TOO_COMPLEX")


@given(
    st.lists(
        st.sampled_from(
            [
                "BEGIN",
                "COMMIT",
                "ROLLBACK",
                "SAVEPOINT a",
                "SAVEPOINT b",
                "ROLLBACK TO a",
                "RELEASE a",
                "SET search_path = x",
                "SET LOCAL search_path = y",
                "RESET search_path",
                "SET ROLE r",
                "DISCARD ALL",
                "CREATE TEMP TABLE t (a int)",
                "!",
            ]
        ),
        max_size=15,
    )
)
@settings(max_examples=300, deadline=None)
def test_a_rollback_restores_what_held_before_the_block(script: list[str]) -> None:
    tracker = sql.FactTracker()
    before = tracker.facts
    tracker.apply(analyse("BEGIN").parts[0].effects)
    tracker.on_ready(b"T")
    for text in script:
        if text in ("BEGIN", "COMMIT", "ROLLBACK", "DISCARD ALL"):
            continue
        if text == "!":
            tracker.on_error()
        else:
            tracker.apply(analyse(text).parts[0].effects)
    tracker.apply(analyse("ROLLBACK").parts[0].effects)
    tracker.on_ready(b"I")
    assert tracker.facts == before
