select id as order_id, customer_id, amount, status, created as ordered_on
from {{ source('shop', 'orders') }}
