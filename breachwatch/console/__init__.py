"""The web desk of the security team and the DPO, and its JSON interface."""
