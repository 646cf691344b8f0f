{{ config(materialized='incremental', unique_key='order_id', incremental_strategy='delete+insert') }}
select o.order_id, o.status, s.segment, o.ordered_on
from {{ ref('stg_orders') }} o
join {{ ref('segments') }} s on s.status = o.status
{% if is_incremental() %}
where o.ordered_on >= (select max(ordered_on) - 10 from {{ this }})
{% endif %}
