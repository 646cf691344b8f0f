-- Every schema that is not a session's own.
select nspname
from pg_catalog.pg_namespace
where nspname !~ '^pg_(toast|temp_|toast_temp_)'
order by oid
