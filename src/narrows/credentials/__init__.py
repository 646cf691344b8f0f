"""What the gateway shows to a target in the caller's stead, and nobody else ever sees.

`Credentials.resolve("store:shop", binding)` gives the secret that a reference stands for. Providers, one per
file: `store` (sealed in narrows' own store and bound to one target), `env`, `file`, `vault`. Everything here
blocks and belongs into the store's pool. A failure is one `CredentialError`, which never holds a value.
"""

from narrows.credentials.base import Binding, CredentialError, Provider
from narrows.credentials.binding import binding_of
from narrows.credentials.resolve import Credentials

__all__ = ["Binding", "CredentialError", "Credentials", "Provider", "binding_of"]
