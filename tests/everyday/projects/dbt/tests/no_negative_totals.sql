select * from {{ ref('orders_by_customer') }} where total < 0
