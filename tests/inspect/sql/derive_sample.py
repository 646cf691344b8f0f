"""Writes tests/inspect/sql/sample.json: the sample schema of the corpus as a real PostgreSQL 15 describes it.

python tests/inspect/sql/derive_sample.py 'host=... dbname=...'
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

RELATIONS = """
SELECT json_agg(json_build_object(
    'oid', c.oid::int, 'schema', n.nspname, 'name', c.relname, 'kind', c.relkind, 'rows', c.reltuples::int,
    'parents', (SELECT coalesce(json_agg(inhparent::int), '[]') FROM pg_inherits WHERE inhrelid = c.oid),
    'definition', CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
    'triggers', EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal),
    'keys', (SELECT coalesce(json_agg(k.keys), '[]') FROM (SELECT array_to_json(i.indkey::int[]) AS keys
             FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indexprs IS NULL) k),
    'columns', (SELECT json_agg(json_build_array(attname, attnum, atttypid::int, format_type(atttypid, atttypmod),
                attgenerated <> '', pg_get_expr(adbin, adrelid)) ORDER BY attnum)
                FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
                WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped)) ORDER BY c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('public', 'evil') AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
"""
FUNCTIONS = """
SELECT json_agg(json_build_object('oid', p.oid::int, 'schema', n.nspname, 'name', p.proname, 'kind', p.prokind,
    'language', l.lanname, 'volatility', p.provolatile, 'definer', p.prosecdef, 'extension', e.extname) ORDER BY p.oid)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
LEFT JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
LEFT JOIN pg_extension e ON e.oid = d.refobjid
WHERE n.nspname IN ('public', 'evil')
"""
FOREIGN_KEYS = """
SELECT coalesce(json_agg(json_build_array(conrelid::int, conkey[1], confrelid::int, confkey[1])), '[]')
FROM pg_constraint WHERE contype = 'f'
"""


def ask(server: str, sql: str) -> object:
    command = [
        "psql",
        "-XAtq",
        "-v",
        "ON_ERROR_STOP=1",
        "-d",
        server,
        "-c",
        "SET search_path = ''",
        "-c",
        sql,
    ]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    sample = {
        "relations": ask(sys.argv[1], RELATIONS),
        "functions": ask(sys.argv[1], FUNCTIONS),
        "foreign_keys": ask(sys.argv[1], FOREIGN_KEYS),
    }
    Path(__file__).with_name("sample.json").write_text(json.dumps(sample, indent=0) + "\n")
