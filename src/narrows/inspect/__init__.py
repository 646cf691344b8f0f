"""Messages -> Statement: what a caller wants, in one form for every protocol."""
