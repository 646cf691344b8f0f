"""`env:NAME`: the value of an environment variable of the gateway."""

from __future__ import annotations

import os
from collections.abc import Mapping

from narrows.credentials.base import Binding, CredentialError
from narrows.model.secret import Secret


class EnvProvider:
    """Reads the variable each time it is asked; the environment is given for tests."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ

    def read(self, name: str, binding: Binding) -> Secret:  # noqa: ARG002 - whoever sets the variable decides
        value = self._environ.get(name)
        if not value:
            raise CredentialError(
                f"The environment variable {name} is not set", "Set it for the gateway and restart."
            )
        return Secret(value)

    def __repr__(self) -> str:
        return "EnvProvider()"
