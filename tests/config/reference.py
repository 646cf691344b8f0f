"""How one setting stands in docs/configuration.md: made from `settings`, so that the page cannot drift."""

from __future__ import annotations

from narrows.settings import Address, Setting, SettingKind


def section(setting: Setting) -> str:
    """The heading of a setting and everything under it."""
    ways = [f"`{setting.environment}`"]
    if setting.is_secret:
        ways.append(f"`{setting.environment}_FILE`")
    else:
        ways = ["`settings:`", *ways, f"`{setting.flag}`"]
    lines = [
        f"### {setting.name}",
        "",
        setting.help,
        "",
        f"- Is: {_kind(setting)}",
        f"- Default: {_default(setting)}",
        f"- From: {', '.join(ways)}",
    ]
    if setting.minimum is not None or setting.maximum is not None:
        lines.append(f"- Range: {_range(setting)}")
    lines.append(
        f"- A change takes effect: {'at a reload' if setting.is_reloadable else 'at the next start'}"
    )
    return "\n".join(lines) + "\n"


def _kind(setting: Setting) -> str:
    if setting.kind is SettingKind.CHOICE:
        return "one of " + ", ".join(f"`{choice}`" for choice in setting.choices)
    return str(setting.kind.value)


def _default(setting: Setting) -> str:
    value = setting.default
    if isinstance(value, tuple):
        return ", ".join(f"`{a}`" for a in value if isinstance(a, Address)) or "none"
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    unit = f" {setting.unit}" if setting.unit else ""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"`{text}`{unit}"


def _range(setting: Setting) -> str:
    low = f"from {setting.minimum:.12g}" if setting.minimum is not None else ""
    high = f"to {setting.maximum:.12g}" if setting.maximum is not None else ""
    return f"{low} {high} {setting.unit}".strip().replace("  ", " ")
