"""A small cluster to break: real processes on a real broker and a real PostgreSQL, and what must be true afterwards."""
