{{ config(indexes=[{'columns': ['customer_id'], 'unique': true}, {'columns': ['total']}]) }}
select c.customer_id, c.name, count(o.order_id) as orders, coalesce(sum(o.amount), 0)::numeric as total
from {{ ref('stg_customers') }} c
left join {{ ref('stg_orders') }} o on o.customer_id = c.customer_id
group by c.customer_id, c.name
