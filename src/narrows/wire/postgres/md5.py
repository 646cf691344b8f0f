"""The MD5 way of showing a password: for targets that still ask for it, never for our own clients."""

from __future__ import annotations

import hashlib


def md5_password(user: str, password: str, salt: bytes) -> str:
    """The answer to AuthenticationMD5Password: `md5`, then md5(md5(password + user) + salt) in hex."""
    inner = _hex(password.encode("utf-8", "surrogateescape") + user.encode("utf-8", "surrogateescape"))
    return "md5" + _hex(inner.encode("ascii") + salt)


def _hex(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
