"""The gate: the one place where the order of deciding, recording and forwarding stands (`settle.py`)."""
