{{ config(materialized='materialized_view', indexes=[{'columns': ['month']}]) }}
select date_trunc('month', ordered_on) as month, status, count(*) as orders, sum(amount) as total,
       rank() over (partition by status order by sum(amount) desc) as place
from {{ ref('stg_orders') }}
group by 1, 2
