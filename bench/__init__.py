"""What narrows costs, measured beside a direct connection and PgBouncer in one run: `make bench`.

Read `cases.py` first (what is measured, and what it must reach), then `measure.py` (how).
"""
