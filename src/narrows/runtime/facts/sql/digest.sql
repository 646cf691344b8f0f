-- One row, one number per section of the snapshot; a number changes when a row of the catalogs behind it was
-- written (xmin), and never for temporary objects or statistics below an order of magnitude.
select
    -- head
    (select sum(hash_record_extended(row(setdatabase, setrole, xmin), 0)) from pg_catalog.pg_db_role_setting),
    -- schemas
    (select sum(hash_record_extended(row(oid, xmin), 0))
     from pg_catalog.pg_namespace where nspname !~ '^pg_(toast|temp_|toast_temp_)'),
    -- system
    (select sum(hash_record_extended(row(oid, xmin), 0)) from pg_catalog.pg_class where oid < 16384)
      + (select sum(hash_record_extended(row(attrelid, attnum, xmin), 0))
         from pg_catalog.pg_attribute where attrelid < 16384)
      + (select sum(hash_record_extended(row(oid, xmin), 0)) from pg_catalog.pg_rewrite where ev_class < 16384),
    -- user
    (select coalesce(sum(hash_record_extended(row(oid, xmin,
                case when reltuples > 0 then floor(log(reltuples)) else reltuples end), 0)), 0)
     from pg_catalog.pg_class where oid >= 16384 and relpersistence <> 't' and relkind <> 't')
      + (select coalesce(sum(hash_record_extended(row(attrelid, attnum, xmin), 0)), 0)
         from pg_catalog.pg_attribute
         where attrelid >= 16384
           and attrelid not in (select oid from pg_catalog.pg_class where relpersistence = 't'))
      + (select coalesce(sum(hash_record_extended(row(oid, xmin), 0)), 0)
         from pg_catalog.pg_attrdef
         where adrelid not in (select oid from pg_catalog.pg_class where relpersistence = 't'))
      + (select coalesce(sum(hash_record_extended(row(inhrelid, inhparent, xmin), 0)), 0)
         from pg_catalog.pg_inherits
         where inhrelid not in (select oid from pg_catalog.pg_class where relpersistence = 't'))
      + (select coalesce(sum(hash_record_extended(row(oid, xmin), 0)), 0)
         from pg_catalog.pg_rewrite
         where ev_class >= 16384
           and ev_class not in (select oid from pg_catalog.pg_class where relpersistence = 't'))
      + (select coalesce(sum(hash_record_extended(row(oid, xmin), 0)), 0)
         from pg_catalog.pg_trigger
         where not tgisinternal
           and tgrelid not in (select oid from pg_catalog.pg_class where relpersistence = 't'))
      + (select coalesce(sum(hash_record_extended(row(oid, xmin), 0)), 0)
         from pg_catalog.pg_type where typrelid = 0 and typelem = 0)
      + (select coalesce(sum(hash_record_extended(row(oid, rolname), 0)), 0) from pg_catalog.pg_roles),
    -- functions
    (select sum(hash_record_extended(row(oid, xmin), 0)) from pg_catalog.pg_proc)
      + (select sum(hash_record_extended(row(oid, xmin), 0)) from pg_catalog.pg_operator)
      + (select coalesce(sum(hash_record_extended(row(classid, objid, refobjid, xmin), 0)), 0)
         from pg_catalog.pg_depend where deptype = 'e')
      + (select coalesce(sum(hash_record_extended(row(oid, xmin), 0)), 0) from pg_catalog.pg_extension)
      + (select coalesce(sum(hash_record_extended(row(oid, xmin), 0)), 0) from pg_catalog.pg_language),
    -- foreign keys
    (select coalesce(sum(hash_record_extended(row(oid, xmin), 0)), 0)
     from pg_catalog.pg_constraint where contype = 'f')
