"""One process, one durable local spool in SQLite, no broker."""
