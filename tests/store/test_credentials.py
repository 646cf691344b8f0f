"""Sealed credentials: one per name, replaced whole."""

from __future__ import annotations

from dataclasses import replace

from narrows.store import Store, credentials
from narrows.store.credentials import CredentialRow

ROW = CredentialRow("shop", "db1", 5432, "ab", b"n" * 12, b"\x00\xff", "key", 100.0, "User/root")


def test_a_credential_replaces_the_one_of_its_name(opened: Store) -> None:
    other = replace(ROW, name="billing")
    with opened.write() as connection:
        for row in (ROW, other, replace(ROW, host="db2", ciphertext=b"new")):
            credentials.put(connection, row)
        assert credentials.list_credentials(connection) == [
            other,
            replace(ROW, host="db2", ciphertext=b"new"),
        ]
        assert credentials.find(connection, "shop") == replace(ROW, host="db2", ciphertext=b"new")
        assert credentials.find(connection, "none") is None


def test_deleting_says_how_many_there_were(opened: Store) -> None:
    with opened.write() as connection:
        credentials.put(connection, ROW)
        assert credentials.delete(connection, "shop") == 1
        assert credentials.delete(connection, "shop") == 0


def test_a_row_does_not_show_its_ciphertext() -> None:
    assert "ciphertext" not in repr(ROW)
    assert "nonce" not in repr(ROW)
