-- Operators that run somebody's code: none of PostgreSQL's own, and none that an extension brought.
select n.nspname, o.oprname
from pg_catalog.pg_operator o
     join pg_catalog.pg_namespace n on n.oid = o.oprnamespace
where o.oid >= 16384
  and not exists
      (select from pg_catalog.pg_depend d
       where d.classid = 'pg_catalog.pg_operator'::pg_catalog.regclass and d.objid = o.oid and d.objsubid = 0
         and d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass and d.deptype = 'e')
order by o.oid
