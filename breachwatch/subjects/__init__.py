"""Who is affected: references joined to people through a directory, as figures."""
