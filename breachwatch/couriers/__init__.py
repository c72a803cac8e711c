"""Ways out: SMTP to people and to the team."""
