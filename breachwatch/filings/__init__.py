"""GDPR Art. 33: the draft for the supervisory authority, its approval, submission and exports."""
