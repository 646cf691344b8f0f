"""What a gateway is made of, put together in the order that each part needs the ones before it."""

from __future__ import annotations

import asyncio
import os
import secrets
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from narrows import __version__
from narrows.app.deciding import CedarPolicy, ConnectionLimit, GatePorts, InForce, LiveFacts
from narrows.app.front import PostgresFront, refresh
from narrows.app.recorder import Recorder
from narrows.app.targets import Targets
from narrows.config.loaded import Config
from narrows.credentials import Credentials, Provider, master_key
from narrows.credentials.env import EnvProvider
from narrows.credentials.file import FileProvider, read_secret_file
from narrows.credentials.store import StoreProvider, has_credentials
from narrows.credentials.vault import VaultProvider, VaultSettings
from narrows.identity import directory as directories
from narrows.identity.limiter import FailureLimiter, FailureLimits
from narrows.identity.liveness import Liveness
from narrows.identity.local import LocalIdentity, TokenLimits
from narrows.journal import Durability, Journal
from narrows.journal import Limits as JournalLimits
from narrows.journal.indexer import Indexer, StoreSink
from narrows.journal.keys import Keys, load_or_create
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.secret import Secret
from narrows.model.session import Session
from narrows.model.snapshot import Snapshot
from narrows.runtime import logs
from narrows.runtime.facts.analysis import AnalysisPool, PoolLimits
from narrows.runtime.metrics import Metrics
from narrows.runtime.sessions import Limits as SessionLimits
from narrows.runtime.sessions import Sessions
from narrows.runtime.tls import ServerTls
from narrows.settings import Settings
from narrows.store import Pool, Store
from narrows.store import open as open_store

MASK_KEY_FILE = "mask.key"

_TLS_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_REMOVED = Refusal(Reason.SESSION_ENDED, "the connection is no longer configured", sqlstate="57P01")


@dataclass
class Parts:
    """The parts of one running gateway."""

    config: InForce
    flags: Mapping[str, str]
    clock: Callable[[], float]
    store: Store
    pool: Pool
    journal: Journal
    journal_keys: Keys
    indexer: Indexer
    recorder: Recorder
    metrics: Metrics
    directory: directories.LiveDirectory
    liveness: Liveness
    identity: LocalIdentity
    stored: StoreProvider
    targets: Targets
    ports: GatePorts
    sessions: Sessions
    analysis: AnalysisPool
    front: PostgresFront
    tls: ServerTls

    def take(self, config: Config) -> None:
        """From here on this configuration holds; sessions go on under it."""
        before = self.config.now
        self.config.now = config
        self.directory.replace(directory_of(config))
        settings = config.settings
        self.identity.limits = TokenLimits(settings.token_ttl_s, settings.token_ttl_limit_s)
        self.tls.certificate, self.tls.key = settings.tls_certificate, settings.tls_key
        logs.set_level(settings.log_level)
        for name, known in before.connections.items():
            if config.connections.get(name) != known:
                self.targets.forget(name)

    def end_lapsed(self) -> int:
        """End the sessions whose token, principal or connection no longer holds; how many."""
        return self.sessions.end_where(self._lapsed)

    def end_idle(self) -> None:
        """End the sessions that sat idle longer than the settings let them."""
        settings = self.config.now.settings
        limit_s, in_block_s = settings.idle_timeout_s, settings.idle_in_transaction_timeout_s
        if not limit_s and not in_block_s:
            return
        now = asyncio.get_running_loop().time()
        for driver in self.sessions:
            idle_s = now - driver.used_at
            if driver.machine.is_idle:
                if limit_s and idle_s > limit_s:
                    driver.end(Refusal(Reason.TIMED_OUT, f"no statement for {limit_s:g} s", sqlstate="57P05"))
            elif in_block_s and idle_s > in_block_s and driver.machine.is_waiting_in_block:
                message = f"a transaction stayed open and idle for {in_block_s:g} s"
                driver.end(Refusal(Reason.TIMED_OUT, message, sqlstate="25P03"))

    def _lapsed(self, session: Session) -> Refusal | None:
        if session.connection not in self.config.now.connections:
            return _REMOVED
        return self.liveness.is_live(session)


def build(config: Config, flags: Mapping[str, str], stack: ExitStack) -> Parts:
    """Everything, opened; `stack` closes it in reverse. Runs inside the event loop."""
    settings, clock = config.settings, time.time
    state = _state_directory(settings)
    in_force, metrics = InForce(config), Metrics()
    metrics.pure_core.set(1)

    store = open_store(settings.store_url)
    stack.callback(store.close)
    pool = Pool()
    stack.callback(pool.close)

    keys = load_or_create(config.keys_directory)
    journal = _open_journal(config, keys)
    stack.callback(journal.close)
    recorder = Recorder(journal, metrics)
    indexer = Indexer(config.journal_directory, StoreSink(store))
    stack.callback(indexer.stop)

    live_directory = directories.LiveDirectory(directory_of(config))
    liveness = Liveness(live_directory, clock)
    identity = LocalIdentity(
        store,
        pool,
        live_directory,
        liveness,
        FailureLimiter(FailureLimits(settings.failures_limit, settings.failures_window_s)),
        clock,
        TokenLimits(settings.token_ttl_s, settings.token_ttl_limit_s),
    )
    identity.load()

    stored = _stored_credentials(settings, store, clock)
    credentials = Credentials(_providers(config, stored))
    ports = GatePorts(
        LiveFacts(in_force, liveness, clock),
        CedarPolicy(in_force, clock),
        ConnectionLimit(in_force, time.monotonic),
        recorder,
    )

    def on_change(_snapshot: Snapshot) -> None:
        refresh(front)

    targets = Targets(in_force, credentials, pool, recorder, on_change, clock)
    sessions = Sessions(SessionLimits(settings.sessions_limit, settings.sessions_per_principal))
    analysis = AnalysisPool(
        PoolLimits(settings.parse_workers, settings.parse_timeout_s, settings.parse_memory_bytes)
    )
    front = PostgresFront(
        in_force, identity, targets, ports, sessions, metrics, analysis, _mask_key(state), clock
    )
    return Parts(
        config=in_force,
        flags=flags,
        clock=clock,
        store=store,
        pool=pool,
        journal=journal,
        journal_keys=keys,
        indexer=indexer,
        recorder=recorder,
        metrics=metrics,
        directory=live_directory,
        liveness=liveness,
        identity=identity,
        stored=stored,
        targets=targets,
        ports=ports,
        sessions=sessions,
        analysis=analysis,
        front=front,
        tls=ServerTls(settings.tls_certificate, settings.tls_key, _TLS_VERSIONS[settings.tls_minimum]),
    )


def directory_of(config: Config) -> directories.Directory:
    """The principals of a configuration, as sign-in knows them."""
    return directories.build(
        [directories.Member(name, m.groups, m.disabled) for name, m in config.users.items()],
        [directories.Member(name, m.groups, m.disabled) for name, m in config.services.items()],
        [directories.Group(name) for name in config.groups],
    )


def _state_directory(settings: Settings) -> Path:
    state = settings.state_directory
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    return state


def _open_journal(config: Config, keys: Keys) -> Journal:
    settings = config.settings
    limits = JournalLimits(
        segment_bytes=settings.journal_segment_bytes, checkpoint_s=settings.journal_checkpoint_s
    )
    return Journal.open(
        config.journal_directory,
        keys,
        durability=Durability(settings.journal_durability),
        limits=limits,
        must_open=False,
        program=f"narrows {__version__}",
    )


def _stored_credentials(settings: Settings, store: Store, clock: Callable[[], float]) -> StoreProvider:
    keys = master_key.load(settings.master_key, may_create=not has_credentials(store))
    return StoreProvider(store, keys, clock)


def _providers(config: Config, stored: StoreProvider) -> dict[str, Provider]:
    settings = config.settings
    providers: dict[str, Provider] = {
        "store": stored,
        "env": EnvProvider(),
        "file": FileProvider(config.directory),
    }
    if settings.vault_url:
        vault = VaultSettings(settings.vault_url, settings.vault_ca or None)
        providers["vault"] = VaultProvider(vault, lambda: settings.vault_token or Secret(""), time.monotonic)
    return providers


def _mask_key(state: Path) -> Secret:
    """The key of keyed hashes: made once, so that the same value has the same token for ever."""
    path = state / MASK_KEY_FILE
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
    return read_secret_file(path)
