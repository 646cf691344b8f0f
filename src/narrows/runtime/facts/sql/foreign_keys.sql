-- One row per column of a foreign key.
select k.conrelid, u.attnum, k.confrelid, u.target_attnum
from pg_catalog.pg_constraint k
     cross join lateral unnest(k.conkey, k.confkey) as u (attnum, target_attnum)
where k.contype = 'f'
order by k.oid, u.attnum
