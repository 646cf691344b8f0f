"""The drivers' own test suites, run directly and through narrows, and compared: `make drivers`.

`suites.py` what is run; `fetch.py` brings it; `world.py` a server, and a server behind a gateway with an open policy;
`run.py` one suite by both ways at once; `compare.py` what differs, and whether `expected.yaml` says why;
`report.py` the table, JSON, and the page docs/compatibility.md.
"""
