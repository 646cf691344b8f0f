-- Every function, pg_catalog's too, with the extension it came with; of one in SQL, its body and its inputs' names,
-- where it runs as its caller and under its caller's settings; of a trigger's function, its body in any language.
-- A body over a relation that is exclusively locked is not deparsed, which would wait for the lock.
with locked as materialized
    (select l.relation
     from pg_catalog.pg_locks l
     where l.locktype = 'relation' and l.mode = 'AccessExclusiveLock' and l.pid <> pg_catalog.pg_backend_pid()
       and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database()))
select p.oid, n.nspname, p.proname, p.prokind, l.lanname, p.provolatile, p.prosecdef, p.proretset,
       e.extname,
       case when b.is_blocked then null
            when l.lanname = 'sql' and p.oid >= 16384 and p.proconfig is null and not p.prosecdef
            then coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc)
            when p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype and p.oid >= 16384 then p.prosrc end,
       case when l.lanname = 'sql' and p.oid >= 16384 and p.proargnames is not null
            then (select pg_catalog.json_agg(a.name order by a.place)
                  from rows from (unnest(p.proargnames), unnest(p.proargmodes)) with ordinality as a (name, mode, place)
                  where a.mode is null or a.mode in ('i', 'b', 'v')) end,
       b.is_blocked
from pg_catalog.pg_proc p
     join pg_catalog.pg_namespace n on n.oid = p.pronamespace
     join pg_catalog.pg_language l on l.oid = p.prolang
     left join pg_catalog.pg_depend d
         on d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.objid = p.oid and d.objsubid = 0
            and d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass and d.deptype = 'e'
     left join pg_catalog.pg_extension e on e.oid = d.refobjid
     cross join lateral
         (select p.oid >= 16384 and l.lanname = 'sql' and exists
              (select from pg_catalog.pg_depend u
               where u.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and u.objid = p.oid
                 and u.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                 and u.refobjid in (select relation from locked)) as is_blocked) b
where n.nspname !~ '^pg_(toast|temp_|toast_temp_)'
order by p.oid
