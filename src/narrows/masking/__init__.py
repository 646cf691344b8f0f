"""What is done to labelled values: `labels.yaml` in, one mask for each column of a result out.

`parse_labels` reads the labels or names every fault; `build_plan` and `build_copy_plan` decide columns, never
cells. One operator is one file under `operators/`; what a type can hold is in `types.py`.
"""

from __future__ import annotations

from narrows.masking.document import LabelFault
from narrows.masking.labels import LabelError, parse_labels
from narrows.masking.plan import MaskImpossible, build_copy_plan, build_plan

__all__ = ["LabelError", "LabelFault", "MaskImpossible", "build_copy_plan", "build_plan", "parse_labels"]
