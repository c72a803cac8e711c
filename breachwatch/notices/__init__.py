"""GDPR Art. 34: the draft for the people affected, its approval, and each person's mail."""
