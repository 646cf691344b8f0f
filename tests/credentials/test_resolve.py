"""References: each goes to its provider; one that is none is not repeated, for it may be a password."""

from __future__ import annotations

import pytest

from narrows.credentials import CredentialError, Credentials
from narrows.credentials.env import EnvProvider
from narrows.model.secret import Secret
from tests.credentials.conftest import SHOP

CREDENTIALS = Credentials({"env": EnvProvider({"SHOP": "one"}), "other": EnvProvider({"SHOP": "two"})})


def test_a_reference_goes_to_the_provider_of_its_scheme() -> None:
    assert CREDENTIALS.resolve("env:SHOP", SHOP) == Secret("one")
    assert CREDENTIALS.resolve("other:SHOP", SHOP) == Secret("two")


@pytest.mark.parametrize(
    "reference", ["hunter2", "", ":", "env", "env:", "ENV:SHOP", "hunter2:SHOP", ":SHOP"]
)
def test_anything_else_is_refused_without_repeating_it(reference: str) -> None:
    with pytest.raises(CredentialError, match=r"not understood.*env:, other:") as caught:
        CREDENTIALS.resolve(reference, SHOP)
    assert "hunter2" not in str(caught.value)
