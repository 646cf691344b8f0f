"""The control API: what the command line speaks to, over HTTPS and over a Unix socket.

Start in `application.py`, which lists every route file; `calls.py` is the one way into the gateway: who
calls, whether policy allows it, and its record. `ports.py` says what the gateway must offer.
"""
