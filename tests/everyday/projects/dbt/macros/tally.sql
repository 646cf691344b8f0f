{% macro tally() %}
  {% set found = run_query("select count(*) from " ~ ref('order_log')) %}
  {{ log("tally: " ~ found.columns[0].values()[0], info=true) }}
{% endmacro %}
