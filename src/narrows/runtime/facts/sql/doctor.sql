-- What the credential is, and what it may do that a gateway's credential should not.
select current_setting('server_version_num'), r.rolname,
       r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcreatedb, r.rolreplication,
       (select pg_catalog.json_agg(m.rolname order by m.rolname)
        from pg_catalog.pg_roles m
        where (m.rolsuper or m.rolname in ('pg_read_server_files', 'pg_write_server_files',
                                           'pg_execute_server_program', 'pg_signal_backend'))
          and pg_catalog.pg_has_role(r.oid, m.oid, 'member') and not r.rolsuper),
       (select pg_catalog.json_agg(o.name)
        from (select pg_catalog.format('%s.%s', n.nspname, c.relname) as name
              from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
              where pg_catalog.pg_has_role(r.oid, c.relowner, 'member') and not r.rolsuper
                and c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relpersistence <> 't'
              order by 1 limit 4) o),
       (select pg_catalog.json_agg(n.nspname order by n.nspname)
        from pg_catalog.pg_namespace n
        where n.nspname !~ '^pg_(toast|temp_|toast_temp_)' and not r.rolsuper
          and pg_catalog.has_schema_privilege(r.oid, n.oid, 'create')),
       pg_catalog.pg_has_role(r.oid, d.datdba, 'member') and not r.rolsuper,
       (select pg_catalog.count(*)
        from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relpersistence <> 't'
          and n.nspname not in ('pg_catalog', 'information_schema')
          and pg_catalog.has_table_privilege(r.oid, c.oid, 'select'))
from pg_catalog.pg_roles r, pg_catalog.pg_database d
where r.rolname = current_user and d.datname = pg_catalog.current_database()
