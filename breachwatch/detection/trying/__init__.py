"""Trying rules before trusting them: thresholds, allow-lists, lint, coverage, filters proposed."""
