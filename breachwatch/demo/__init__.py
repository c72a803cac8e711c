"""A day in the life of a small online shop, to try everything on: people, logs, two attacks, and a mailbox."""
