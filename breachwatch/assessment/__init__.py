"""Severity by ENISA's method, the duty it proposes, and the decision of a person."""
