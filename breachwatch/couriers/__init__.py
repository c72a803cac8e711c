"""Ways out: mail to people and to the team, out of the outbox, one attempt at a time for each item."""
