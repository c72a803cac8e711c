"""Record to event: formats and source definitions; each names its OCSF attributes and its Sigma logsource."""
