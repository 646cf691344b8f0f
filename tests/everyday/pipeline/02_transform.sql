-- Transform: temporary tables, CREATE TABLE AS, upserts, MERGE, UPDATE ... FROM, DELETE ... USING.
create temp table recent as select id, customer_id, amount, status, created from orders where created >= '2024-03-01';
create index on recent (customer_id);
analyze recent;
select count(*), min(created), max(created) from recent;
select * from recent order by id limit 3;
alter table recent add column bucket text;
update recent set bucket = case when amount > 200 then 'big' when amount > 100 then 'medium' else 'small' end where bucket is null;
select bucket, count(*) as n, sum(amount) as total from recent group by bucket order by bucket;
create temp table by_customer on commit preserve rows as
    select c.id, c.name, c.vip, count(r.id) as orders, coalesce(sum(r.amount), 0) as total
    from customers c left join recent r on r.customer_id = c.id group by c.id, c.name, c.vip;
select * from by_customer order by total desc, id limit 5;
create table mart.by_customer as table by_customer;
alter table mart.by_customer add primary key (id);
insert into mart.by_customer as b (id, name, vip, orders, total) select id, name, vip, orders, total + 1 from by_customer where id <= 5
    on conflict (id) do update set total = excluded.total, orders = b.orders + 1 where b.id > 1 returning b.id, b.total;
insert into mart.rates values ('EUR', 2), ('CHF', 0.95) on conflict do nothing;
insert into mart.facts (order_id, code, amount)
    select o.id, case o.id % 3 when 0 then 'EUR' when 1 then 'USD' else 'GBP' end, o.amount from orders o where o.id <= 90;
merge into mart.facts f using (select id, amount from recent) r on f.order_id = r.id
    when matched and f.amount > 250 then delete
    when matched then update set amount = r.amount + 1, note = 'merged'
    when not matched then insert (order_id, code, amount) values (r.id, 'EUR', r.amount);
select note, count(*), sum(amount), sum(euros) from mart.facts group by note order by note;
update mart.facts f set note = b.name from mart.by_customer b, orders o where o.id = f.order_id and o.customer_id = b.id and f.order_id < 10;
delete from mart.facts f using orders o where o.id = f.order_id and o.status = 'new' and o.id > 110 returning f.order_id, f.amount;
with moved as (delete from mart.facts where order_id between 20 and 25 returning order_id, amount)
    insert into mart.landing (raw) select jsonb_build_object('id', order_id, 'amount', amount) from moved order by order_id;
with recursive months (m) as (select date '2024-01-01' union all select (m + interval '1 month')::date from months where m < '2024-05-01')
    select m, count(o.id), coalesce(sum(o.amount), 0) from months left join orders o on date_trunc('month', o.created) = m group by m order by m;
create temp table scrap (id int, note text) on commit delete rows;
begin; insert into scrap values (1, 'a'), (2, 'b'); select count(*) from scrap; commit; select count(*) from scrap;
create temp sequence batch start 7;
select nextval('batch'), nextval('batch'), currval('batch');
create temp view latest as select id, status from recent where created > '2024-04-20';
select status, count(*) from latest group by status order by status;
create temp table orders_like (like orders including all);
insert into orders_like select * from orders where id < 4;
select * from orders_like order by id;
drop table recent cascade;
drop table if exists recent, by_customer;
select to_regclass('pg_temp.recent');
truncate scrap;
discard temp;
