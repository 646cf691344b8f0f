select id as customer_id, name, vip
from {{ source('shop', 'customers') }}
