"""A blocking client made of nothing but the codec, to hold the codec against a real PostgreSQL."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from types import TracebackType

from cryptography import x509

from narrows.core import CopyPlan, Message, PgBackend, Plan, Rows
from narrows.wire.postgres import backend, frontend, scram, startup
from narrows.wire.postgres.md5 import md5_password
from tests.servers.postgres import Database, Login


class Live:
    """One signed-in connection; `facts` are what the server said on the way."""

    def __init__(self, database: Database, login: Login, minor: int = 0, is_tls: bool = False) -> None:
        server = database.server
        self.socket: socket.socket = socket.create_connection((server.host, server.port), 20)
        self.end_point: bytes | None = None
        if is_tls:
            self._start_tls(str(server.ca_path))
        self.login = login
        self.codec = PgBackend()
        self.facts: list[backend.BackendMessage] = []
        self.mechanism = ""
        parameters = {"user": login.user, "database": database.name}
        self.socket.sendall(startup.build_startup(startup.Startup(3, minor, parameters)))
        self._sign_in()

    def __enter__(self) -> Live:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def next(self) -> Message | Rows:
        while (item := self.codec.next()) is None:
            data = self.socket.recv(65536)
            assert data, "the server closed"
            self.codec.receive(data)
        return item

    def send(self, *messages: frontend.FrontendMessage) -> None:
        self.socket.sendall(b"".join(map(frontend.build, messages)))

    def answers(
        self, plan: Plan | None = None, copy_plan: CopyPlan | None = None
    ) -> Iterator[Message | Rows]:
        """Everything up to ReadyForQuery; a plan is set for each result."""
        while True:
            item = self.next()
            yield item
            if isinstance(item, Message):
                if item.kind == b"Z":
                    return
                if item.kind in (b"T", b"2"):
                    self.codec.set_plan(plan)
                if item.kind == b"H":
                    self.codec.set_copy_plan(copy_plan)

    def _start_tls(self, ca_path: str) -> None:
        self.socket.sendall(startup.build_ssl_request())
        assert self.socket.recv(1) == b"S"
        wrapped = ssl.create_default_context(cafile=ca_path).wrap_socket(
            self.socket, server_hostname="127.0.0.1"
        )
        self.socket = wrapped
        der = wrapped.getpeercert(binary_form=True)
        assert der
        algorithm = x509.load_der_x509_certificate(der).signature_hash_algorithm
        self.end_point = scram.end_point_binding(der, algorithm.name if algorithm else "sha256")

    def _sign_in(self) -> None:
        client: scram.ScramClient | None = None
        while True:
            item = self.next()
            assert isinstance(item, Message)
            said = backend.parse(item)
            match said:
                case backend.AuthenticationMD5Password(salt):
                    self._show(
                        frontend.PasswordMessage(md5_password(self.login.user, self.login.password, salt))
                    )
                case backend.AuthenticationCleartextPassword():
                    self._show(frontend.PasswordMessage(self.login.password))
                case backend.AuthenticationSASL(offered):
                    client = scram.ScramClient(
                        self.login.password, "rOprNGfwEbeRWgbNEkqO", offered, self.end_point
                    )
                    self.mechanism = client.mechanism
                    self._show(frontend.SaslInitialResponse(client.mechanism, client.first()))
                case backend.AuthenticationSASLContinue(data):
                    assert client
                    self._show(frontend.SaslResponse(client.final(data)))
                case backend.AuthenticationSASLFinal(data):
                    assert client
                    client.verify(data)
                case backend.ErrorResponse(fields):
                    raise PermissionError(fields["M"])
                case backend.ReadyForQuery():
                    return
                case _:
                    self.facts.append(said)

    def _show(
        self, message: frontend.PasswordMessage | frontend.SaslInitialResponse | frontend.SaslResponse
    ) -> None:
        self.socket.sendall(frontend.build(message))
