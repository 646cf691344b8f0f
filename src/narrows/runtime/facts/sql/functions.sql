-- Every function, pg_catalog's too, with the extension it came with.
select p.oid, n.nspname, p.proname, p.prokind, l.lanname, p.provolatile, p.prosecdef, p.proretset,
       e.extname
from pg_catalog.pg_proc p
     join pg_catalog.pg_namespace n on n.oid = p.pronamespace
     join pg_catalog.pg_language l on l.oid = p.prolang
     left join pg_catalog.pg_depend d
         on d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.objid = p.oid and d.objsubid = 0
            and d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass and d.deptype = 'e'
     left join pg_catalog.pg_extension e on e.oid = d.refobjid
where n.nspname !~ '^pg_(toast|temp_|toast_temp_)'
order by p.oid
