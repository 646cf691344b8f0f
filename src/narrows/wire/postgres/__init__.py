"""The PostgreSQL frontend/backend protocol, 3.0 and 3.2, both directions, without I/O.

`startup` first, then `frontend` (what a client sends) and `backend` (what the target sends); `scram` and
`md5` prove a password; `cancel` makes keys of our own. `core` cuts the stream into `message.Message`s.
"""
