"""breachwatch: from a log line to an approved notice, with the clock of GDPR Art. 33 in view."""

__version__ = "0.2.0"
