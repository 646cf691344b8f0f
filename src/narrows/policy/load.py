"""Policy texts in, a `PolicySet` or every fault out.

Each policy is checked alone, so that every fault has its place: it parses, its annotations are known, its
`@id` is unique, Cedar validates it against our schema, and every id that it names is declared.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping

import cedarpy
from cedarpy import pst

from narrows.model.action import GROUPS
from narrows.model.resource import ResourceKind
from narrows.policy import annotation, ids, schema, source
from narrows.policy.declared import Declared, undeclared, walk
from narrows.policy.errors import Fault, PolicyError
from narrows.policy.policyset import Policy, PolicySet

_IN_CONTEXT = re.compile(r" (?:in context )?for Action::\"[^\"]*\"")
_POLICY_PREFIX = re.compile(r"for policy `[^`]*`, ")


def load(sources: Mapping[str, str], declared: Declared) -> PolicySet:
    """Every policy of every file (name -> text); raises `PolicyError` with all faults, never the first only."""
    faults: list[Fault] = []
    policies: dict[str, Policy] = {}
    uses_time = False
    for file in sorted(sources):
        for piece in source.split(file, sources[file]):
            parsed = _parse(piece, faults)
            if parsed is None:
                continue
            faults.extend(_faults(piece, parsed, declared))
            policy = _policy(piece, parsed)
            uses_time = uses_time or _names_time(parsed)
            first = policies.setdefault(policy.id, policy)
            if first is not policy and policy.id:
                message = f'@id("{policy.id}") is already used in {first.file}:{first.line}'
                faults.append(Fault(file, piece.line, message, "give each policy an id of its own"))
    if faults:
        raise PolicyError(faults)
    return PolicySet(policies, version(sources), uses_time)


def version(sources: Mapping[str, str]) -> str:
    """A hash of everything that a verdict depends on besides the request: texts, schema, engine's schema use."""
    whole = json.dumps([sorted(sources.items()), schema.text(with_time=True)])
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


def _parse(piece: source.Source, faults: list[Fault]) -> pst.Template | None:
    if piece.is_too_deep:
        remedy = "split it into several policies, or compare with a set"
        faults.append(
            Fault(piece.file, piece.line, "the policy that begins here is too long or too deep", remedy)
        )
        return None
    try:
        parsed = cedarpy.policies_to_pst(piece.text)
    except ValueError as failure:
        faults.append(Fault(piece.file, piece.line, f"the policy that begins here is not Cedar: {failure}"))
        return None
    if parsed.templates:
        remedy = "write the principal or resource out, or use a group"
        faults.append(
            Fault(piece.file, piece.line, "templates (?principal, ?resource) are not used here", remedy)
        )
        return None
    if len(parsed.static_policies) != 1:
        faults.append(Fault(piece.file, piece.line, "this is not one policy", "end each policy with `;`"))
        return None
    return next(iter(parsed.static_policies.values()))


def _faults(piece: source.Source, parsed: pst.Template, declared: Declared) -> Iterator[Fault]:
    for misuse in annotation.misuses(parsed.annotations, declared.groups):
        yield Fault(piece.file, piece.line_of(f"@{misuse.name}"), misuse.message, misuse.remedy)
    for unknown in undeclared(parsed, declared):
        yield Fault(piece.file, piece.line_of(unknown.needle), unknown.message, unknown.remedy)
    for message in _validate(piece.text):
        yield Fault(piece.file, piece.line_of(_quoted(message)), message, _remedy(message))


def _validate(text: str) -> list[str]:
    """Cedar's own complaints, each once, however many actions it concerns."""
    result = cedarpy.validate_policies(text, schema.handle(with_time=True))
    messages = (_POLICY_PREFIX.sub("", error.error) for error in result.errors)
    found = sorted({_IN_CONTEXT.sub(" in the context", message) for message in messages})
    if not found and not result.validation_passed:
        found = ["Cedar refuses this policy"]
    return found


def _quoted(message: str) -> str:
    """The word of the policy's text that a complaint is about, to find its line."""
    match = re.search(r'`(?:[A-Za-z]+::)?"?([A-Za-z_.]+)"?`', message)
    return match[1].rsplit(".", 1)[-1] if match else "\0"


_REMEDIES = {
    "unable to guarantee safety of access to optional": "ask first, as in `context has x && context.x`",
    "unable to find an applicable action": "an action of this policy does not apply to this kind of resource",
    "unrecognized action": "actions and groups: " + ", ".join(GROUPS) + "; see `narrows policy schema`",
    "not found": "see `narrows policy schema` for what each action's context holds",
}


def _remedy(message: str) -> str:
    known = next((remedy for start, remedy in _REMEDIES.items() if start in message), "")
    near = (
        difflib.get_close_matches(_quoted(message), schema.attributes(), n=1)
        if "not found" in message
        else []
    )
    return f"did you mean `{near[0]}`?" if near else known


def _policy(piece: source.Source, parsed: pst.Template) -> Policy:
    compiled = json.loads(cedarpy.policies_to_json_str(piece.text))
    notes = dict(parsed.annotations)
    return Policy(
        id=notes.get("id", ""),
        effect=parsed.effect,
        file=piece.file,
        line=piece.line,
        text=piece.text,
        compiled=json.dumps(next(iter(compiled["staticPolicies"].values()))),
        annotations=notes,
        review=annotation.parse_review(notes["review"]) if "review" in notes else None,
        connections=_connections(parsed.resource),
        actions=_actions(parsed.action),
        names_columns=_names_columns(parsed),
    )


def _connections(scope: pst.PrincipalOrResourceConstraint) -> frozenset[str] | None:
    if not isinstance(scope, pst.ScopeEq | pst.ScopeIn | pst.ScopeIsIn) or isinstance(scope.entity, pst.Slot):
        return None
    kind, name = str(scope.entity.type), scope.entity.id
    if kind not in set(ResourceKind) or kind == ResourceKind.GATEWAY:
        return None
    resource = ids.parse(ResourceKind(kind), name, {})
    return frozenset({resource.path[0]}) if resource else None


def _actions(scope: pst.ActionConstraint) -> frozenset[str] | None:
    if isinstance(scope, pst.ActionEq):
        return frozenset({scope.entity.id})
    if isinstance(scope, pst.ActionIn):
        return frozenset(member for uid in scope.entities for member in (uid.id, *GROUPS.get(uid.id, ())))
    return None


def _names_time(parsed: pst.Template) -> bool:
    return any(
        getattr(node, "attr", "") == "now" or "now" in getattr(node, "attrs", ()) for node in walk(parsed)
    )


def _names_columns(parsed: pst.Template) -> bool:
    by_id = any(str(uid.type) == ResourceKind.COLUMN for uid in pst.entity_uids(parsed))
    return by_id or any(
        getattr(node, "attr", "") == "name" or "name" in getattr(node, "attrs", ()) for node in walk(parsed)
    )
