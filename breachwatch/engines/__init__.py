"""Hosts of the pure stages."""
