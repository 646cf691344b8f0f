{{ config(post_hook=["analyze {{ this }}", "create index if not exists ranked_place on {{ this }} (place)"]) }}
with numbered as (
    select customer_id, total, row_number() over (order by total desc, customer_id) as place,
           ntile(4) over (order by total) as quarter, lag(total) over (order by customer_id) as before
    from {{ ref('orders_by_customer') }}
)
select n.*, c.vip from numbered n join {{ ref('stg_customers') }} c using (customer_id)
