"""From a reference, `store:shop` or `vault:secret/shop#password`, to the secret that it stands for.

Law: a reference is not a secret and may stand in files, logs and errors; what it stands for may not.
"""

from __future__ import annotations

from collections.abc import Mapping

from narrows.credentials.base import Binding, CredentialError, Provider
from narrows.model.secret import Secret


class Credentials:
    """The providers, by the scheme of the references that they read."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = dict(providers)

    def resolve(self, reference: str, binding: Binding) -> Secret:
        """The secret; raises CredentialError. Blocks: call it in the pool."""
        scheme, colon, name = reference.partition(":")
        provider = self._providers.get(scheme)
        if provider is None or not colon or not name:
            # Not shown: somebody may have written a password where a reference belongs.
            known = ", ".join(f"{scheme}:" for scheme in sorted(self._providers))
            raise CredentialError(
                "A credential's reference is not understood", f"It begins with one of {known}"
            )
        return provider.read(name, binding)
