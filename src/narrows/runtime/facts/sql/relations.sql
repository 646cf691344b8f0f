-- Relations with OIDs from {low} to {high}, columns as JSON. The last column is not part of the digest.
select c.oid, n.nspname, c.relname, c.relkind, r.rolname,
       (select pg_catalog.json_agg(i.inhparent::int8 order by i.inhseqno)
        from pg_catalog.pg_inherits i where i.inhrelid = c.oid),
       case when c.relkind in ('v', 'm') then pg_catalog.pg_get_viewdef(c.oid) end,
       case when c.relhastriggers then
           (select pg_catalog.json_agg(t.tgfoid::int8 order by t.oid)
            from pg_catalog.pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal) end,
       case when c.relhasrules then
           (select pg_catalog.json_agg(pg_catalog.pg_get_ruledef(w.oid) order by w.oid)
            from pg_catalog.pg_rewrite w where w.ev_class = c.oid and w.rulename <> '_RETURN') end,
       k.columns,
       case when c.relkind in ('r', 'p', 'm') then u.keys end,
       case when c.reltuples > 0 then floor(log(c.reltuples)) else c.reltuples end,
       c.reltuples::int8
from pg_catalog.pg_class c
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     left join pg_catalog.pg_roles r on r.oid = c.relowner
     left join lateral
         (select pg_catalog.json_agg(pg_catalog.json_build_array(
                     a.attname, a.attnum, a.atttypid::int8, a.attgenerated <> '',
                     pg_catalog.pg_get_expr(d.adbin, d.adrelid))
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
