"""The words of narrows as frozen values; every layer speaks in them and this one imports nothing.

Start here: a `Session` is one `Principal` on one Connection. What it sends becomes a `Statement` with
its `Operation`s; the gate answers with a `Verdict`, and only the gate turns that into a `Settled`.
"""
