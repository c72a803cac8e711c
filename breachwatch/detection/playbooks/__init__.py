"""Playbook folders: what is in them, what it means, and whether their cases hold."""
