"""Regimes as data; deadlines, reminders, and what meets them."""
