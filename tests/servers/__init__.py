"""Real servers for tests, each in its own directory under a temporary path, each ended by its recorded pid.

`postgres.py` PostgreSQL 15 (Debian) and 18 (PyPI) with TLS, SCRAM and every statement logged; `shop.sql` the
sample data; `openbao.py` a Vault-compatible secret store; `stub.py` a PostgreSQL that only signs in and answers
nothing but greetings, thousands of times; `adversity.py` a proxy that stalls, cuts and dribbles;
`fetch.py` brings PostgreSQL 18. The fixtures are in `tests/conftest.py`.
"""
