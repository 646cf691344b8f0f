"""Cancel keys of our own: the process id is the target's, the key proves that we gave it out.

A client takes the id in BackendKeyData for its backend's: it compares it with a notification's, and looks it up in
`pg_stat_activity` (docs/decisions/0007). Ids of several targets can coincide, so a key belongs to an id and a serial
number together, and whoever holds the sessions asks of each that has the id whether the key is its own.
Laws: what was not minted under this secret fits nothing; keys are compared in constant time.
"""

from __future__ import annotations

import hmac

WORKERS = 1 << 7
SESSIONS = 1 << 24
KEY_BYTES = {0: 4, 1: 4, 2: 32}
"""Minor protocol version -> size of its key. In protocol 3.0 guessing is limited by the listener."""


class CancelKeys:
    """Mints and checks keys; every worker of one gateway has the same secret, new at each start."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 16:
            raise ValueError("the secret of cancel keys has at least 16 bytes")
        self._secret = secret

    def mint(self, pid: int, worker: int, session_number: int, minor: int = 0) -> bytes:
        """The key for BackendKeyData in protocol 3.`minor`.

        Session numbers are unique among the open sessions of a worker and below 2**24.
        """
        if not (0 <= worker < WORKERS and 0 <= session_number < SESSIONS):
            raise ValueError("worker or session number out of range")
        return self._mac(pid, worker, session_number, KEY_BYTES[minor])

    def fits(self, key: bytes, pid: int, worker: int, session_number: int) -> bool:
        """Whether a CancelRequest's key is the one of this session."""
        if len(key) not in KEY_BYTES.values():
            return False
        return hmac.compare_digest(key, self._mac(pid, worker, session_number, len(key)))

    def _mac(self, pid: int, worker: int, session_number: int, size: int) -> bytes:
        serial = worker * SESSIONS + session_number
        what = (
            b"narrows cancel key"
            + bytes([size])
            + serial.to_bytes(4, "big")
            + pid.to_bytes(4, "big", signed=True)
        )
        return hmac.digest(self._secret, what, "sha256")[:size]
