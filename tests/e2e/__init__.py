"""Real gateways between real clients and real PostgreSQL: one file per promise."""
