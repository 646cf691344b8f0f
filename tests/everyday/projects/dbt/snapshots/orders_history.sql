{% snapshot orders_history %}
{{ config(target_schema='analytics', unique_key='id', strategy='check', check_cols=['status', 'amount']) }}
select id, status, amount from {{ source('shop', 'orders') }} where id <= 20
{% endsnapshot %}
