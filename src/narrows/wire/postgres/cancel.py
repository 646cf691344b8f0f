"""Cancel keys of our own: the process id says whose session, the key proves that we gave it out.

The id is (worker, session number) in 31 bits, so that any worker can tell where a CancelRequest belongs; the
key is a MAC of it. In protocol 3.0 a key has 32 bits, all of them MAC: guessing is limited by the listener.
Laws: what was not minted under this secret opens nothing; keys are compared in constant time.
"""

from __future__ import annotations

import hmac

WORKERS = 1 << 7
SESSIONS = 1 << 24
KEY_BYTES = {0: 4, 1: 4, 2: 32}
"""Minor protocol version -> size of its key."""


class CancelKeys:
    """Mints and opens keys; every worker of one gateway has the same secret, new at each start."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 16:
            raise ValueError("the secret of cancel keys has at least 16 bytes")
        self._secret = secret

    def mint(self, worker: int, session_number: int, minor: int = 0) -> tuple[int, bytes]:
        """(process id, key) for BackendKeyData in protocol 3.`minor`.

        Session numbers are unique among the open sessions of a worker and below 2**24.
        """
        if not (0 <= worker < WORKERS and 0 <= session_number < SESSIONS):
            raise ValueError("worker or session number out of range")
        pid = worker * SESSIONS + session_number
        return pid, self._mac(pid, KEY_BYTES[minor])

    def open(self, pid: int, key: bytes) -> tuple[int, int] | None:
        """(worker, session number) of a CancelRequest; None where the key is not ours."""
        if len(key) not in KEY_BYTES.values() or not 0 <= pid < WORKERS * SESSIONS:
            return None
        if not hmac.compare_digest(key, self._mac(pid, len(key))):
            return None
        return divmod(pid, SESSIONS)

    def _mac(self, pid: int, size: int) -> bytes:
        what = b"narrows cancel key" + bytes([size]) + pid.to_bytes(4, "big")
        return hmac.digest(self._secret, what, "sha256")[:size]
