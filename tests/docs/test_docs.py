"""Every metric, action, fact and glossary word stands in its page, and every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from narrows.model.action import GROUPS
from narrows.policy import schema
from narrows.runtime.metrics import Metrics

PROJECT = Path(__file__).resolve().parents[2]
DOCS = PROJECT / "docs"


def test_every_metric_is_in_operations() -> None:
    page = (DOCS / "operations.md").read_text()
    for family in Metrics().registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert f"| `{name}` |" in page, name


def test_every_metric_of_the_page_exists() -> None:
    page = (DOCS / "operations.md").read_text()
    named = set(re.findall(r"\| `(narrows_\w+)` \|", page))
    families = Metrics().registry.collect()
    assert named == {f"{f.name}_total" if f.type == "counter" else f.name for f in families}


def test_every_action_is_in_policies() -> None:
    page = (DOCS / "policies.md").read_text()
    for group, members in GROUPS.items():
        row = f"| `{group}` | {' '.join(f'`{action}`' for action in members)} |"
        assert row in page, row


def test_every_fact_is_in_policies() -> None:
    page = (DOCS / "policies.md").read_text()
    for place, facts in (
        ("context.client.", schema.CLIENT),
        ("context.session.", schema.SESSION),
        ("context.", schema.OPERATION + schema.SQL),
        ("context.", tuple(rule for rules in schema.BY_ACTION.values() for rule in rules)),
    ):
        for rule in facts:
            assert f"| `{place}{rule.name}` |" in page, rule.name


PAGES = sorted([*PROJECT.glob("*.md"), *DOCS.rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{page.name}: {target}"
