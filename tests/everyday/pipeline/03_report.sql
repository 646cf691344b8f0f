-- Report: window functions, grouping sets, views and materialized views over clean tables, COPY out, EXPLAIN.
select id, customer_id, amount, row_number() over w, rank() over (partition by status order by amount desc) as place,
    lag(amount) over w as before, sum(amount) over (order by created rows between 6 preceding and current row) as week,
    ntile(4) over (order by amount), percent_rank() over (order by amount), first_value(id) over w
from orders window w as (partition by customer_id order by created, id) order by id limit 12;
select status, date_trunc('month', created) as month, count(*), avg(amount)::numeric(10, 2), percentile_cont(0.5) within group (order by amount),
    string_agg(id::text, ',' order by id) filter (where id < 30), grouping(status)
from orders group by grouping sets ((status, date_trunc('month', created)), (status), ()) order by 1 nulls last, 2 nulls last;
select status, count(*) from orders group by rollup (status) having count(*) > 10 order by 1 nulls last;
create view mart.order_sizes as select id, customer_id, amount, case when amount > 200 then 'big' else 'small' end as size, created from orders;
create or replace view mart.size_totals as select size, count(*) as orders, sum(amount) as total from mart.order_sizes group by size;
select * from mart.size_totals order by size;
select s.size, c.name, count(*) from mart.order_sizes s join customers c on c.id = s.customer_id group by 1, 2 order by 3 desc, 2 limit 4;
create materialized view mart.monthly as select date_trunc('month', created)::date as month, status, count(*) as orders, sum(amount) as total from orders group by 1, 2;
create unique index monthly_key on mart.monthly (month, status);
refresh materialized view mart.monthly;
refresh materialized view concurrently mart.monthly;
select * from mart.monthly order by month, status limit 6;
create view v_names as select id, name from customers where vip;
select * from v_names;
select v.name, o.amount from v_names v join v_orders o on o.name = v.name order by o.amount limit 3;
select id, who from v_contacts order by id limit 2;
select id, name, amount from v_orders order by id limit 2;
copy (select * from mart.monthly order by month, status) to stdout with (format csv, header);
copy orders to stdout;
\copy (select id, name, vip from customers order by id) to stdout with (format csv, force_quote *)
copy mart.rates (code, rate) to stdout with (delimiter '|');
explain (costs off) select status, count(*) from orders where customer_id = 3 group by status;
explain (format json, costs off) select * from orders where id = 1;
explain (analyze, costs off, timing off, summary off, buffers off) select count(*) from mart.monthly;
table mart.size_totals order by size;
select json_agg(t order by t.id) from (select id, amount from orders where id < 4) t;
select array_agg(distinct status order by status), jsonb_object_agg(id, status) filter (where id < 3) from orders;
select * from orders tablesample system (100) repeatable (1) order by id limit 2;
select o.id, l.n from orders o cross join lateral (select count(*) as n from orders i where i.customer_id = o.customer_id) l order by o.id limit 2;
select id from orders where id < 5 union all select emp_id from payroll except select 2 order by 1;
select * from (values (1, 'one'), (2, 'two')) v (n, word) join orders on orders.id = v.n order by n;
select name from customers where id = any (array[1, 2, 3]) and name ~ '^A' and not vip is null;
