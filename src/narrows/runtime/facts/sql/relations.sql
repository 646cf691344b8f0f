-- Relations with OIDs from {low} to {high}, columns as JSON. The last two columns are not part of the digest.
-- What is exclusively locked is not deparsed, which would wait for the lock: b.is_blocked, and v.version, which
-- changes with every row of the catalogs that a view's query is deparsed from.
with locked as materialized
    (select l.relation
     from pg_catalog.pg_locks l
     where l.locktype = 'relation' and l.mode = 'AccessExclusiveLock' and l.pid <> pg_catalog.pg_backend_pid()
       and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database()))
select c.oid, n.nspname, c.relname, c.relkind, r.rolname,
       (select pg_catalog.json_agg(i.inhparent::int8 order by i.inhseqno)
        from pg_catalog.pg_inherits i where i.inhrelid = c.oid),
       case when c.relkind in ('v', 'm') and not b.is_blocked then pg_catalog.pg_get_viewdef(c.oid) end,
       case when c.relhastriggers then
           (select pg_catalog.json_agg(t.tgfoid::int8 order by t.oid)
            from pg_catalog.pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal) end,
       case when c.relhasrules then
           (select pg_catalog.json_agg(pg_catalog.pg_get_ruledef(w.oid) order by w.oid)
            from pg_catalog.pg_rewrite w where w.ev_class = c.oid and w.rulename <> '_RETURN') end,
       k.columns,
       case when c.relkind in ('r', 'p', 'm') then u.keys end,
       case when c.reltuples > 0 then floor(log(c.reltuples)) else c.reltuples end,
       b.is_blocked,
       v.version,
       c.reltuples::int8
from pg_catalog.pg_class c
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     left join pg_catalog.pg_roles r on r.oid = c.relowner
     left join lateral
         (select pg_catalog.concat_ws(' ', c.xmin, w.xmin,
                     pg_catalog.sum(pg_catalog.hash_record_extended(
                         row(d.refobjid, d.refobjsubid, s.xmin, o.xmin, a.xmin), 0)),
                     (select pg_catalog.sum(pg_catalog.hash_record_extended(row(a.attnum, a.xmin), 0))
                      from pg_catalog.pg_attribute a where a.attrelid = c.oid)) as version,
                 pg_catalog.bool_or(d.refobjid in (select relation from locked)) as is_blocked
          from pg_catalog.pg_rewrite w
               join pg_catalog.pg_depend d
                   on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and d.objid = w.oid
                      and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
               join pg_catalog.pg_class o on o.oid = d.refobjid
               join pg_catalog.pg_namespace s on s.oid = o.relnamespace
               left join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
          where w.ev_class = c.oid and w.rulename = '_RETURN'
          group by w.oid, w.xmin) v on c.relkind in ('v', 'm')
     cross join lateral
         (select c.oid in (select relation from locked) or coalesce(v.is_blocked, false) as is_blocked) b
     left join lateral
         (select pg_catalog.json_agg(pg_catalog.json_build_array(
                     a.attname, a.attnum, a.atttypid::int8, a.attgenerated <> '',
                     case when not b.is_blocked then pg_catalog.pg_get_expr(d.adbin, d.adrelid) end)
                 order by a.attnum) as columns
          from pg_catalog.pg_attribute a
               left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) k on c.relkind not in ('i', 'I')
     left join lateral
         (select pg_catalog.json_agg(
                     (select pg_catalog.json_agg(one.attnum order by one.place)
                      from pg_catalog.unnest(i.indkey::pg_catalog.int2[]) with ordinality as one (attnum, place)
                      where one.place <= i.indnkeyatts)
                 order by i.indexrelid) as keys
          from pg_catalog.pg_index i
          where i.indrelid = c.oid and i.indisunique and i.indisvalid
            and i.indpred is null and i.indexprs is null) u on c.relhasindex
where c.oid between {low} and {high}
  and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'i', 'I')
  and c.relpersistence <> 't'
  and n.nspname !~ '^pg_(toast|temp_|toast_temp_)'
order by c.oid
