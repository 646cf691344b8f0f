"""The formats of COPY and what masks each."""

from __future__ import annotations

from narrows.core.plan import CopyPlan
from narrows.core.pure.copy_binary import BinaryMasker
from narrows.core.pure.copy_csv import CsvFormat
from narrows.core.pure.copy_lines import LineMasker
from narrows.core.pure.copy_text import TextFormat
from narrows.core.pure.copying import CopyMasker
from narrows.model.copy import CopyFormat


def copy_masker(plan: CopyPlan, limit_bytes: int) -> CopyMasker:
    """The masker of one COPY; a row over the limit raises ProtocolError."""
    match plan.format:
        case CopyFormat.TEXT:
            return LineMasker(TextFormat(plan), plan.header, limit_bytes)
        case CopyFormat.CSV:
            return LineMasker(CsvFormat(plan), plan.header, limit_bytes)
        case CopyFormat.BINARY:
            return BinaryMasker(plan, limit_bytes)
