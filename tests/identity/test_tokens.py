"""The form of a token: random, of one shape, and known by its digest."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.identity import tokens
from narrows.model.secret import Secret


def test_a_minted_token_is_parsed_to_its_id_and_digest() -> None:
    token_id, token = tokens.mint()
    parsed = tokens.parse(token)
    assert parsed is not None
    assert parsed.id == token_id
    assert parsed.digest == hashlib.sha256(token.reveal().encode()).digest()
    assert token.reveal().startswith(f"nrw_{token_id}_")


def test_no_two_are_alike_and_each_has_256_bits() -> None:
    minted = [tokens.mint() for _ in range(200)]
    assert len({token_id for token_id, _ in minted}) == 200
    secrets = {token.reveal().rpartition("_")[2] for _, token in minted}
    assert len(secrets) == 200
    assert all(len(secret) * 5 >= 256 for secret in secrets)


@pytest.mark.parametrize("spoil", ["", "x", "\n", " ", "\0", "=", "ä"])
def test_anything_around_it_is_another_form(spoil: str) -> None:
    token = tokens.mint()[1].reveal()
    assert tokens.parse(Secret(token)) is not None
    if spoil:
        assert tokens.parse(Secret(token + spoil)) is None
        assert tokens.parse(Secret(spoil + token)) is None
    assert tokens.parse(Secret(token.upper())) is None
    assert tokens.parse(Secret(token[:-1])) is None


@given(st.text(st.characters(), max_size=100))
def test_any_text_is_parsed_without_an_exception(text: str) -> None:
    assert tokens.parse(Secret(text)) is None
    assert len(tokens.digest(Secret(text))) == 32
