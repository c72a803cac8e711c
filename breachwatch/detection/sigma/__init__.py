"""Sigma as people write it: read, checked, refused with its place, and turned into values of our own."""
