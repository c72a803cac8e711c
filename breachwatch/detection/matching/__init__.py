"""From raw records to matches: one scan for what must be there, then the few rules that may match."""
