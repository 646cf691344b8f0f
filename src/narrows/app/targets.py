"""The targets: their credentials, the way to them, and the views that statements are analysed under.

Law: a credential is resolved for one target and handed to the sign-in there; it is kept nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog

from narrows.app.deciding import InForce
from narrows.app.recorder import Recorder
from narrows.config.models import Credential
from narrows.credentials import Credentials, binding_of
from narrows.gate.ports import CannotRecord
from narrows.inspect.sql.analysis import View
from narrows.model.label import DatabaseLabels
from narrows.model.principal import Principal
from narrows.model.secret import Secret
from narrows.model.snapshot import Snapshot
from narrows.model.target import Target
from narrows.runtime.facts.keeper import FactsUnavailable, SnapshotKeeper
from narrows.runtime.facts.keeper import Limits as KeeperLimits
from narrows.runtime.facts.query import Queries, open_queries
from narrows.runtime.facts.snapshot import Place
from narrows.runtime.upstream import Deadlines, Upstream, open_upstream
from narrows.store import Pool

VIEWS_KEPT = 256

log = structlog.get_logger(__name__)


class Targets:
    """Every target of the configuration in force."""

    def __init__(
        self,
        config: InForce,
        credentials: Credentials,
        pool: Pool,
        recorder: Recorder,
        on_change: Callable[[Snapshot], None],
        clock: Callable[[], float],
    ) -> None:
        self._config = config
        self._credentials = credentials
        self._pool = pool
        self._recorder = recorder
        self._views: dict[tuple[str, ...], View] = {}
        settings = config.now.settings
        self._deadlines = Deadlines(
            connect_s=min(5.0, settings.upstream_timeout_s),
            total_s=settings.upstream_timeout_s,
            keepalive_s=settings.keepalive_s,
        )
        limits = KeeperLimits(poll_s=settings.snapshot_poll_s)
        self.keeper = SnapshotKeeper(self.open_queries, on_change, limits, clock)

    def place(self, connection: str, database: str, principal: Principal | None = None) -> Place:
        """Where a principal's session goes; the connection's own credential without one."""
        known = self._config.now.connections[connection]
        credential = known.credential_for(principal.groups) if principal else known.credential
        user = "" if credential == known.credential else credential.user
        return Place(connection, database, database == known.database, user)

    def forget(self, connection: str) -> None:
        """Whatever leads to this connection's target is to be opened and read anew."""
        for place in self.keeper.places():
            if place.connection == connection:
                self.keeper.forget(place)

    async def check_credential(self, place: Place) -> None:
        """Raises CredentialError where the credential cannot be read."""
        credential = self._credential_at(place)
        await self._credential(place.connection, place.database, credential)

    async def open(self, place: Place, parameters: Mapping[str, str]) -> Upstream:
        """Sign in for a session; raises UpstreamUnavailable and CredentialError."""
        credential = self._credential_at(place)
        target, password = await self._credential(place.connection, place.database, credential)
        return await open_upstream(target, password, parameters, self._deadlines)

    async def open_queries(self, place: Place) -> Queries:
        """Sign in for statements of our own, each journalled before it is sent."""
        try:
            credential = self._credential_at(place)
            target, password = await self._credential(place.connection, place.database, credential)
        except KeyError:
            raise FactsUnavailable(f"connection {place.connection} is no longer configured") from None

        async def announce(text: str, purpose: str) -> None:
            try:
                await self._recorder.own(place.connection, place.database, text, purpose)
            except CannotRecord as failure:
                raise FactsUnavailable(f"the journal cannot be written: {failure}") from failure

        return await open_queries(target, password, announce, self._deadlines)

    def view(self, snapshot: Snapshot) -> View:
        """What statements of this database are analysed under, the same value for the same inputs."""
        config = self._config.now
        known = config.connections[snapshot.connection]
        labels = config.labels.of(snapshot.connection, snapshot.database)
        versions = {"snapshot": snapshot.id, "labels": config.labels.version}
        key = (snapshot.connection, snapshot.database, *versions.values(), str(known.export_rows))
        view = self._views.get(key)
        if view is None:
            if len(self._views) >= VIEWS_KEPT:
                del self._views[next(iter(self._views))]
            view = self._views[key] = View(snapshot, labels, versions, known.export_rows)
            if absent := absent_columns(snapshot, labels):
                log.warning(
                    "labels_name_nothing",
                    connection=snapshot.connection,
                    database=snapshot.database,
                    columns=absent[:20],
                    remedy="correct them in labels.yaml: whatever they were meant for is shown",
                )
        return view

    def _credential_at(self, place: Place) -> Credential:
        known = self._config.now.connections[place.connection]
        if not place.user:
            return known.credential
        found = next((c for c in known.credentials.values() if c.user == place.user), None)
        if found is None:
            raise FactsUnavailable(
                f"connection {place.connection} has no credential for {place.user} any more"
            )
        return found

    async def _credential(
        self, connection: str, database: str, credential: Credential
    ) -> tuple[Target, Secret]:
        target = self._config.now.target(connection, database, credential)
        binding = binding_of(target)
        return target, await self._pool.run(self._credentials.resolve, credential.password, binding)


def absent_columns(snapshot: Snapshot, labels: DatabaseLabels) -> list[str]:
    """Labelled columns that the target does not have, as `schema.table.column`: misspelt, renamed, or gone."""
    return sorted(
        ".".join(key)
        for key in labels.columns
        if (relation := snapshot.by_name.get(key[:2])) is None or relation.column(key[2]) is None
    )
