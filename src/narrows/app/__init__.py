"""The one package that knows every concrete class: it puts the parts together and runs them.

`serve.py` is the life of a gateway; `parts.py` what it is made of; `recorder.py`, `deciding.py` and `targets.py`
stand behind the gate's ports; `front.py` lets PostgreSQL clients in; `control.py` stands behind the control API.
"""

from __future__ import annotations

from narrows.app.serve import serve

__all__ = ["serve"]
