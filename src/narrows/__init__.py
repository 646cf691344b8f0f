"""narrows: a layer-7 gateway for work that has been split into tasks."""

__version__ = "0.1.0"
