"""What every way to sign in has in common: the question, its two answers, and the shape that answers.

Law: a refusal tells a stranger nothing. Expired, revoked, disabled and wrong user are said only to one who
has shown the secret of a token that was once valid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol as Shape

from narrows.model.principal import SignedIn
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.secret import Secret

_SQLSTATES = {
    Reason.SIGN_IN_FAILED: "28P01",
    Reason.TOKEN_EXPIRED: "28P01",
    Reason.WRONG_USER: "28000",
    Reason.PRINCIPAL_DISABLED: "28000",
    Reason.BUSY: "53300",
}


@dataclass(frozen=True, slots=True)
class SignInContext:
    """What is known of the attempt besides what was presented."""

    source: str
    """The caller's address, for the limit on failures."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a sign-in failed. `token_id` and `principal` are for the journal, where they are known."""

    reason: Reason
    message: str
    token_id: str = ""
    principal: str = ""
    """`User/alice`: whose token it is; empty unless its secret was shown."""

    @property
    def refusal(self) -> Refusal:
        """The same for the caller, with the SQLSTATE that clients know."""
        return Refusal(self.reason, self.message, sqlstate=_SQLSTATES.get(self.reason))


class Identity(Shape):
    """One way to sign in; OIDC, SAML and workload identity have this shape too."""

    async def sign_in(
        self, presented: Secret, hint_user: str | None, context: SignInContext
    ) -> SignedIn | Refused:
        """Who presents this; `hint_user` is whom they claim to be, None where they do not say."""
        ...
