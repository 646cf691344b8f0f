"""The core in Python: the oracle for every other implementation, and what runs where none was built."""
