"""What the runtime reads of targets (snapshots, credentials) and works out away from the loop (analysis)."""
