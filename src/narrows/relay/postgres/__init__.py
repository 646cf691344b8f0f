"""PostgreSQL's relay: `signin` until the session stands, then `session`; `upstream` signs in to the target.

A session has two halves that share one `state`: `client` takes what the client sends (statements, portals,
copying), `answers` matches what the target says with what it owes (replies) and hands it on.
"""
