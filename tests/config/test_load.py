"""A directory becomes one frozen Config, or every fault with its place and remedy, and never half of it."""

from __future__ import annotations

import dataclasses
import datetime
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.config import yaml_text
from narrows.config.faults import ConfigError, Fault
from narrows.config.load import load, read_settings
from narrows.config.models import OPERATOR
from narrows.model.principal import Principal, PrincipalKind
from narrows.model.session import Mode
from narrows.model.target import TlsMode
from tests.config import directory
from tests.config.directory import LABELS, NARROWS, POLICY

DAY = datetime.date(2026, 11, 22)


def faults_of(path: Path, **environ: str) -> tuple[Fault, ...]:
    with pytest.raises(ConfigError) as caught:
        load(path, environ)
    return caught.value.faults


def test_a_valid_directory_is_one_frozen_value(tmp_path: Path) -> None:
    config = load(directory.write(tmp_path), {})
    assert config.principal("alice") == Principal(PrincipalKind.USER, "alice", frozenset({"support"}))
    assert config.principal("reports") == Principal(PrincipalKind.SERVICE, "reports", frozenset({"support"}))
    assert config.principal("nobody") is None
    assert config.connections["shop"].all_databases == ("shop", "archive")
    assert set(config.versions) == {"config", "labels", "policy"}
    assert config.warnings == ()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.users = {}  # type: ignore[misc]


def test_versions_change_with_the_file_that_changed(tmp_path: Path) -> None:
    before = load(directory.write(tmp_path), {}).versions
    assert load(directory.write(tmp_path), {}).versions == before
    after = load(directory.write(tmp_path, labels=LABELS + "\n# a comment\n"), {}).versions
    assert after["config"] == before["config"]
    assert after["labels"] != before["labels"]
    after = load(directory.write(tmp_path, policy=POLICY + "\n// a comment\n"), {}).versions
    assert after["policy"] != before["policy"]


def broken(old: str, new: str, text: str = NARROWS) -> str:
    assert old in text
    return text.replace(old, new, 1)


NARROWS_FAULTS = [
    # (what is broken, line, path, words of the message or remedy)
    (
        broken("support: {}", "support: {}\n  support: {}"),
        3,
        "groups.support",
        "stands twice, first on line 2",
    ),
    (broken("groups: [support]", "groups: [suport]"), 5, "users.alice.groups[0]", "is it 'support'?"),
    (broken("groups: [support]", "groups: [zebra]"), 5, "users.alice.groups[0]", "declare it under groups"),
    (broken("alice:", "operator:"), 5, "users.operator", "built in"),
    (broken("reports:", "alice:"), 7, "services.alice", "is a user too"),
    (broken("alice:", '"bad name":'), 5, "users.bad name", "begins with a letter"),
    (broken("  shop:", "  Shop:"), 9, "connections.Shop", "connection's name"),
    (broken("host: db.internal", "hots: db.internal"), 10, "connections.shop.hots", "is it 'host'?"),
    (broken("    host: db.internal\n", ""), 9, "connections.shop.host", "'host' is missing"),
    (broken("db.internal", "postgres://db"), 10, "connections.shop.host", "host name or an address"),
    (broken("database: shop", "database: shop\n    port: 99999"), 12, "connections.shop.port", "65535"),
    (broken("env:SHOP_PASSWORD", "hunter2"), 13, "connections.shop.credential.password", "store:NAME"),
    (broken("env:SHOP_PASSWORD", "store:../x"), 13, "connections.shop.credential.password", "store:NAME"),
    (broken("database: shop", "database: shop\n    mode: observe"), 9, "connections.shop", "until"),
    (
        broken("database: shop", "database: shop\n    until: 2026-12-01"),
        9,
        "connections.shop",
        "mode: observe",
    ),
    (broken("database: shop", "database: shop\n    mode: watch"), 12, "connections.shop.mode", "observe"),
    (
        broken("database: shop", "database: shop\n    tls: {mode: prefer}"),
        12,
        "connections.shop.tls.mode",
        "verify",
    ),
    (
        broken("database: shop", "database: shop\n    tls: {ca: none.pem}"),
        12,
        "connections.shop.tls.ca",
        "No such file",
    ),
    (
        broken("database: shop", "database: shop\n    credentials: {ghosts: {user: a, password: 'env:A'}}"),
        12,
        "connections.shop.credentials.ghosts",
        "no group",
    ),
    (broken("[archive]", "[archive, archive]"), 12, "connections.shop.databases", "stands twice"),
    (NARROWS + "colour: red\n", 14, "colour", "not known here"),
    (NARROWS + "settings: {log_level: loud}\n", 14, "settings.log_level", "one of: debug"),
    (
        NARROWS + "settings: {statment_limit_bytes: 1}\n",
        14,
        "settings.statment_limit_bytes",
        "no such setting",
    ),
    (broken("support: {}", "support: &a {}"), 2, "", "anchors and aliases"),
    (broken("support: {}", "<<: {a: {}}"), 2, "groups", "plain word"),
    (broken("support: {}", "support: !!python/object:os.system {}"), 2, "", "not valid YAML"),
    (NARROWS + "---\na: 1\n", 14, "", "not valid YAML"),
    ("groups: [a\n", 2, "", "not valid YAML"),
]


@pytest.mark.parametrize(("text", "line", "path", "says"), NARROWS_FAULTS)
def test_a_fault_of_narrows_yaml_has_its_line_its_path_and_a_remedy(
    tmp_path: Path, text: str, line: int, path: str, says: str
) -> None:
    found = [f for f in faults_of(directory.write(tmp_path, text)) if f.file == "narrows.yaml"]
    assert [str(f) for f in found if (f.line, f.path) == (line, path) and says in str(f)]


def test_a_password_written_into_the_file_is_not_repeated_in_the_fault(tmp_path: Path) -> None:
    text = broken("env:SHOP_PASSWORD", "hunter2-secret")
    assert "hunter2" not in str(faults_of(directory.write(tmp_path, text)))


def test_faults_of_all_files_are_listed_together(tmp_path: Path) -> None:
    text = broken("groups: [support]", "groups: [zebra]") + "colour: red\n"
    labels = LABELS + "  shop/unlisted:\n    public.t: {c: pii}\n"
    policy = broken('Group::"finance"', 'Group::"finanze"', POLICY)
    found = faults_of(directory.write(tmp_path, text, labels, policy), NARROWS_LOG_LEVEL="loud")
    files = [fault.file for fault in found]
    assert {"narrows.yaml", "labels.yaml", "policies/main.cedar", "NARROWS_LOG_LEVEL"} <= set(files)
    assert len([fault for fault in found if fault.file == "narrows.yaml"]) == 2
    assert all(fault.message for fault in found)


def test_one_mistake_is_one_fault_and_not_one_for_everything_that_names_it(tmp_path: Path) -> None:
    (fault,) = faults_of(
        directory.write(tmp_path, broken("database: shop", "database: shop\n    port: 99999"))
    )
    assert fault.path == "connections.shop.port"
    (fault,) = faults_of(directory.write(tmp_path, broken("support: {}", "support: {descripton: x}")))
    assert fault.path == "groups.support.descripton"
    (fault,) = faults_of(directory.write(tmp_path, labels="labels: {ssn: {none: bogus}}\n"))
    assert (fault.file, fault.line, fault.path) == ("labels.yaml", 1, "labels.ssn.none")


def test_a_policy_fault_names_file_and_line(tmp_path: Path) -> None:
    policy = broken('Group::"finance"', 'Group::"finanze"', POLICY)
    (fault,) = faults_of(directory.write(tmp_path, policy=policy))
    assert (fault.file, fault.line) == ("policies/main.cedar", 13)
    assert "finance" in fault.remedy


def test_a_label_on_a_connection_that_is_not_declared_is_a_fault(tmp_path: Path) -> None:
    labels = LABELS + "  shpo:\n    public.t: {c: pii}\n"
    found = faults_of(directory.write(tmp_path, labels=labels))
    assert any("shpo" in str(fault) and fault.file == "labels.yaml" for fault in found)


@pytest.mark.parametrize("name", ["narrows.yaml", "labels.yaml", "policies"])
def test_what_is_missing_is_a_fault_and_never_an_empty_one(tmp_path: Path, name: str) -> None:
    path = directory.write(tmp_path)
    if name == "policies":
        (path / "policies/main.cedar").unlink()
    else:
        (path / name).unlink()
    assert any(fault.file == name for fault in faults_of(path))


def test_files_are_bounded_and_must_be_text(tmp_path: Path) -> None:
    path = directory.write(tmp_path, NARROWS + "#" * (1024 * 1024))
    assert any("larger than" in fault.message for fault in faults_of(path))
    directory.write(tmp_path)
    (path / "policies/main.cedar").write_bytes(b"\xff\xfe")
    assert any("not UTF-8" in fault.message for fault in faults_of(path))


def test_a_file_that_is_not_read_is_warned_of(tmp_path: Path) -> None:
    path = directory.write(tmp_path)
    (path / "policies/old.cedar.bak").write_text("permit")
    (path / "narrows.yaml").chmod(0o666)
    warned = [fault.file for fault in load(path, {"NARROWS_TYPO": "1"}).warnings]
    assert warned == ["policies/old.cedar.bak", "NARROWS_TYPO", str(path / "narrows.yaml")]


def test_observe_ends_by_itself(tmp_path: Path) -> None:
    text = broken("database: shop", "database: shop\n    mode: observe\n    until: 2026-11-22")
    config = load(directory.write(tmp_path, text), {})
    assert config.mode("shop", DAY) is Mode.OBSERVE
    assert config.mode("shop", DAY + datetime.timedelta(days=1)) is Mode.ENFORCE


def test_a_groups_own_credential_is_used_in_the_order_of_the_file(tmp_path: Path) -> None:
    own = "credentials: {finance: {user: fin, password: 'file:pw'}, support: {user: sup, password: 'env:S'}}"
    config = load(directory.write(tmp_path, broken("database: shop", f"database: shop\n    {own}")), {})
    both = Principal(PrincipalKind.USER, "x", frozenset({"support", "finance"}))
    nobody = Principal(PrincipalKind.USER, "x")
    assert config.credential("shop", both).user == "fin"
    assert config.credential("shop", nobody).user == "shop_app"
    assert config.credential("shop", both).password == f"file:{tmp_path}/pw"


def test_the_target_carries_the_pinned_authorities(tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "/dev/null", "-out",
         str(tmp_path / "ca.pem"), "-subj", "/CN=test"],
        check=True, capture_output=True,
    )  # fmt: skip
    text = broken("database: shop", "database: shop\n    tls: {mode: verify-ca, ca: ca.pem}")
    config = load(directory.write(tmp_path, text), {})
    target = config.target("shop", "archive", config.connections["shop"].credential)
    assert (target.database, target.user, target.tls) == ("archive", "shop_app", TlsMode.VERIFY_CA)
    assert target.ca_pem is not None and "BEGIN CERTIFICATE" in target.ca_pem


def test_the_built_in_operator_operates_and_a_forbid_of_yours_overrides_it(tmp_path: Path) -> None:
    from narrows.config.rights import finish, operate_rights

    config = load(directory.write(tmp_path), {})
    operator = config.principal(OPERATOR)
    assert operator is not None
    assert "reload" in finish(operate_rights(config, operator, 0.0))
    forbid = '@id("no-values") forbid (principal, action == Action::"view_values", resource);'
    config = load(directory.write(tmp_path, own=forbid), {})
    assert "view_values" not in finish(operate_rights(config, operator, 0.0))
    alice = config.principal("alice")
    assert alice is not None and finish(operate_rights(config, alice, 0.0)) == ()


def test_settings_can_be_read_from_a_directory_that_has_other_faults(tmp_path: Path) -> None:
    path = directory.write(tmp_path, "settings: {control_socket: run/c.sock}\nusers: 5\n")
    assert read_settings(path, {}).control_socket == tmp_path / "run/c.sock"


YAML_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["groups", "users", "connections", "shop", "tls", "settings", "mode"]), inner
        )
    ),
    max_leaves=12,
)


@given(YAML_VALUES)
def test_whatever_the_yaml_holds_the_answer_is_a_config_or_faults(value: object) -> None:
    import tempfile

    import yaml

    with tempfile.TemporaryDirectory() as name:
        path = directory.write(Path(name), yaml.safe_dump(value))
        try:
            load(path, {})
        except ConfigError as error:
            assert error.faults


@given(st.text(max_size=200))
def test_any_text_is_a_document_or_faults_with_words(text: str) -> None:
    document, faults = yaml_text.read("f", text)
    assert faults == () or (document.value == {} and all(str(fault) for fault in faults))


def test_deep_nesting_is_a_fault_and_no_crash() -> None:
    for depth in (40, 20_000):
        _, faults = yaml_text.read("f", "[" * depth + "]" * depth)
        assert len(faults) == 1
