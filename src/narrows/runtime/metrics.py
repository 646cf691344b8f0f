"""What is counted; names follow the Prometheus conventions and appear in docs/operations.md."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)


class Metrics:
    """One registry per gateway, so that tests and several gateways in one process do not share counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.sessions = Gauge("narrows_sessions", "Open sessions", ["connection"], registry=r)
        self.sign_ins = Counter("narrows_sign_ins", "Sign-ins", ["outcome"], registry=r)
        self.statements = Counter(
            "narrows_statements", "Settled statements", ["connection", "verdict"], registry=r
        )
        self.refusals = Counter("narrows_refusals", "Refusals by code", ["code"], registry=r)
        self.rows = Counter("narrows_rows", "Rows handed to callers", ["connection"], registry=r)
        self.masked = Counter("narrows_masked_values", "Values masked", ["connection"], registry=r)
        self.settle_seconds = Histogram(
            "narrows_settle_seconds", "Time to settle a statement", buckets=_SECONDS, registry=r
        )
        self.upstream_failures = Counter(
            "narrows_upstream_failures", "Targets that could not be opened", ["connection"], registry=r
        )
        self.observed = Counter(
            "narrows_observed_denials",
            "Statements that ran only because their connection observes",
            ["connection"],
            registry=r,
        )
        self.journal_failures = Counter(
            "narrows_journal_failures", "Statements refused for want of a journal", registry=r
        )
        self.plaintext = Counter("narrows_plaintext_sessions", "Sign-ins taken outside TLS", registry=r)
        self.journal_lag = Gauge(
            "narrows_journal_index_lag_bytes", "Journal bytes that search does not know yet", registry=r
        )
        self.schema_age = Gauge(
            "narrows_schema_age_seconds",
            "Since a target's schema was last confirmed",
            ["connection", "database", "role"],
            registry=r,
        )
        self.reloads = Counter("narrows_reloads", "Configuration reloads", ["outcome"], registry=r)
        self.pure_core = Gauge(
            "narrows_core_is_pure", "1 where the Python twin does the work of the compiled core", registry=r
        )

    def text(self) -> bytes:
        """The exposition format that Prometheus scrapes."""
        return generate_latest(self.registry)
