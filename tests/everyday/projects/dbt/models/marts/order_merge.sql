{{ config(materialized='incremental', unique_key='order_id', incremental_strategy='merge', on_schema_change='append_new_columns') }}
select order_id, amount, status {% if var('wider', false) %}, ordered_on {% endif %}
from {{ ref('stg_orders') }}
{% if is_incremental() %} where order_id > 100 {% endif %}
