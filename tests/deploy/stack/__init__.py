"""A Compose file read as Compose reads it, and its services run as plain processes of this machine."""
