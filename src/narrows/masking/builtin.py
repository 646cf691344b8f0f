"""Labels that need no definition; `labels.yaml` may define one of the same name and then that holds.

Values with few possibilities (a birth date, a salary) keep nothing at `partial`: their end says too much.
"""

from __future__ import annotations

from collections.abc import Mapping

from narrows.model.label import Label, MaskRule, OperatorKind

_CONSTANT = MaskRule(OperatorKind.CONSTANT)
_NULL = MaskRule(OperatorKind.NULL)
_HASH = MaskRule(OperatorKind.HASH)
_KEEP_4 = MaskRule(OperatorKind.KEEP_LAST, keep=4)
_KEEP_2 = MaskRule(OperatorKind.KEEP_LAST, keep=2)


def _label(name: str, description: str, partial: MaskRule, token: MaskRule = _HASH) -> Label:
    return Label(name, none=_CONSTANT, token=token, partial=partial, description=description)


BUILT_IN: Mapping[str, Label] = {
    label.name: label
    for label in (
        _label("pii", "anything about a person", _CONSTANT),
        _label("name", "a person's name", _KEEP_2),
        _label("email", "an e-mail address", _KEEP_4),
        _label("phone", "a telephone number", _KEEP_4),
        _label("address", "a postal address", _CONSTANT),
        _label("dob", "a date of birth", _NULL),
        _label("ssn", "a social security or national identity number", _KEEP_4),
        _label("card", "a payment card number", _KEEP_4),
        _label("iban", "a bank account", _KEEP_4),
        _label("salary", "what somebody earns", _NULL, token=_NULL),
        _label("free_text", "notes and messages that may hold anything", _CONSTANT, token=_CONSTANT),
        _label("secret", "a credential: nobody needs to see a part of it", _CONSTANT, token=_CONSTANT),
    )
}
