"""Random schemas and scripts over two databases that differ only in secrets: nothing that comes back may tell which."""
