"""The case file in SQL: append-only facts, hash chain, projections, outbox, vault."""
