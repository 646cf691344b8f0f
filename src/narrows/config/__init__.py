"""Configuration: one directory in, one frozen `Config` or every fault out.

Start in `load.py`. `models.py` is the shape of narrows.yaml, `root_file.py` reads it; `starter/` is what `narrows init` writes.
"""
