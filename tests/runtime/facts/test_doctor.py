"""What doctor says of credentials, good and bad, on real servers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from narrows.model.secret import Secret
from narrows.model.target import Target, TlsMode
from narrows.relay.postgres.upstream import Fault
from narrows.runtime.facts.doctor import REMEDIES, Finding, Level, examine
from narrows.runtime.facts.query import Queries, open_queries
from tests.runtime.facts.conftest import Announced, target_of
from tests.servers import stub
from tests.servers.postgres import Database, Login


async def findings_of(target: Target, login: Login, announced: Announced | None = None) -> list[Finding]:
    async def connect() -> Queries:
        return await open_queries(target, Secret(login.password), announced or Announced())

    return await examine(target, connect)


def troubles(findings: list[Finding]) -> dict[str, Level]:
    return {finding.text: finding.level for finding in findings if finding.level is not Level.OK}


async def test_a_good_credential_is_called_good(shop: Database) -> None:
    """Owns nothing, may read, over verified TLS."""
    announced = Announced()
    findings = await findings_of(target_of(shop, shop.app), shop.app, announced)
    assert troubles(findings) == {}
    texts = " | ".join(finding.text for finding in findings)
    assert "certificate verified by a pinned authority, its name checked" in texts
    assert f"PostgreSQL {shop.server.version}" in texts
    assert "shop_app is no superuser" in texts
    assert len(announced.texts) == 1


async def test_a_superuser_is_an_error(shop: Database) -> None:
    login = shop.server.superuser
    found = troubles(await findings_of(target_of(shop, login), login))
    assert list(found.values()) == [Level.ERROR]
    assert "postgres is a superuser" in next(iter(found))


async def test_an_owner_is_warned_of(shop: Database) -> None:
    found = troubles(await findings_of(target_of(shop, shop.owner), shop.owner))
    [owns] = [text for text in found if "owns" in text]
    assert "public.api_keys" in owns
    assert found[owns] is Level.WARNING
    assert any("may create objects in public" in text for text in found)


async def test_powers_beyond_grants_are_named(shop: Database) -> None:
    login = shop.server.login("mighty")
    shop.run(
        "alter role mighty bypassrls createrole createdb;"
        "grant pg_read_server_files, pg_execute_server_program to mighty"
    )
    found = troubles(await findings_of(target_of(shop, login), login))
    texts = " | ".join(found)
    for words in ("bypasses row security", "CREATEROLE", "CREATEDB", "may read no table"):
        assert words in texts
    assert found["mighty is a member of pg_execute_server_program, pg_read_server_files"] is Level.ERROR


@pytest.mark.parametrize(
    ("mode", "words"), [(TlsMode.DISABLE, "not encrypted"), (TlsMode.REQUIRE, "nobody checks")]
)
async def test_a_way_without_protection_is_warned_of(shop15: Database, mode: TlsMode, words: str) -> None:
    target = replace(target_of(shop15, shop15.app), tls=mode)
    [text] = troubles(await findings_of(target, shop15.app))
    assert words in text


async def test_what_keeps_us_out_is_told_with_its_remedy(shop15: Database) -> None:
    barred = shop15.server.login("barred_app")
    good = target_of(shop15, shop15.app)
    for target, login, words in (
        (target_of(shop15, barred), barred, "pg_hba.conf"),
        (good, Login(shop15.app.user, "wrong"), "user or password"),
        (replace(good, database="absent"), shop15.app, "`database`"),
        (replace(good, ca_pem=None), shop15.app, "tls.ca"),
        (replace(good, port=1), shop15.app, "`port`"),
    ):
        [finding] = await findings_of(target, login)
        assert finding.level is Level.ERROR
        assert words in finding.remedy
        assert login.password not in finding.text


async def test_a_target_that_answers_nonsense_is_an_error() -> None:
    async with stub.started() as server:
        target = Target("shop", "127.0.0.1", server.port, "shop", "app", TlsMode.DISABLE)
        findings = await findings_of(target, Login("app", "x"))
    assert findings[-1].level is Level.ERROR


def test_every_fault_has_a_remedy() -> None:
    assert set(REMEDIES) == set(Fault)
