"""A small valid directory to break in one way at a time."""

from __future__ import annotations

from pathlib import Path

NARROWS = """\
groups:
  support: {}
  finance:
users:
  alice: {groups: [support]}
services:
  reports: {groups: [support]}
connections:
  shop:
    host: db.internal
    database: shop
    databases: [archive]
    credential: {user: shop_app, password: "env:SHOP_PASSWORD"}
"""
LABELS = """\
columns:
  shop:
    public.customers: {ssn: ssn, email: [email, pii]}
    public.payroll: {salary: salary}
"""
POLICY = """\
@id("support-reads")
permit (principal in Group::"support", action in Action::"read", resource in Connection::"shop");

@id("support-connects")
permit (principal in Group::"support", action in Action::"session", resource in Connection::"shop");

@id("support-partial")
permit (principal in Group::"support", action == Action::"reveal_partial", resource in Connection::"shop")
when { context.labels.contains("ssn") };

@id("payroll")
@message("Payroll is for finance.")
forbid (principal, action, resource in Table::"shop/public.payroll") unless { principal in Group::"finance" };
"""


def write(
    folder: Path, narrows: str = NARROWS, labels: str = LABELS, policy: str = POLICY, **more: str
) -> Path:
    """The directory with these files; `more` are further policy files by name without `.cedar`."""
    (folder / "policies").mkdir(parents=True, exist_ok=True)
    (folder / "narrows.yaml").write_text(narrows)
    (folder / "labels.yaml").write_text(labels)
    (folder / "policies/main.cedar").write_text(policy)
    for name, text in more.items():
        (folder / f"policies/{name}.cedar").write_text(text)
    return folder
