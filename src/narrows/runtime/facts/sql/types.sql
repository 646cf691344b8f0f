-- Names of the types of columns of relations with OIDs from {low} to {high}.
select t.oid, pg_catalog.format_type(t.oid, null)
from pg_catalog.pg_type t
where t.oid in (select atttypid from pg_catalog.pg_attribute where attrelid between {low} and {high} and attnum > 0)
order by t.oid
