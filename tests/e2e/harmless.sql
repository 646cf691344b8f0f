-- What the harmless statements of test_harmless.py read: a company whose customers' data is protected.
create table customers (
    id int primary key, name text not null, email text unique, ssn text unique, phone text, card text unique,
    dob date, note text, vip boolean not null default false
);
insert into customers
    select i, 'Customer ' || i, 'user' || i || '@corp.example', (200 + i) || '-' || (10 + i) || '-' || (4000 + i),
           '+1-646-555-' || (1000 + i), '400000000000' || (1000 + i), date '1970-01-01' + i * 37, null, i = 1
    from generate_series(1, 40) i;
create table payroll (
    emp_id int primary key, name text, salary numeric(12, 2), bank_iban text,
    band text generated always as (case when salary > 100000 then 'senior' else 'junior' end) stored
);
insert into payroll (emp_id, name, salary, bank_iban) values
    (1, 'Dana Cruz', 187250.00, 'DE89370400440532013000'), (2, 'Eli Roth', 64300.00, 'GB29NWBK60161331926819');
create table orders (
    id int primary key, customer_id int references customers (id), amount numeric(10, 2), status text, created date
);
insert into orders
    select i, 1 + i % 40, i * 3.25, (array['new', 'paid', 'sent'])[1 + i % 3], date '2024-01-01' + i
    from generate_series(1, 120) i;
create table profiles (cust_id int primary key references customers (id), data jsonb, emails text[]);
insert into profiles values (1, '{"ssn": "201-11-4001"}', array['user1@corp.example']);
create table events (id int, at date not null, cust_email text, kind text) partition by range (at);
create table events_2023 partition of events for values from ('2023-01-01') to ('2024-01-01');
create table events_2024 partition of events for values from ('2024-01-01') to ('2025-01-01');
insert into events values (1, '2023-05-01', 'user1@corp.example', 'login'), (2, '2024-05-01', 'user2@corp.example', 'login');
create view v_codes as select id, replace(ssn, '-', '') as code, 'c' || id as label from customers;
create function full_price(n numeric) returns numeric language sql immutable as 'select n * 1.2';
grant all on all tables in schema public to shop_app;
