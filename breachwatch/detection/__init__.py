"""Sigma to compiled matcher, correlation windows, and the playbooks that say what an alert means."""
