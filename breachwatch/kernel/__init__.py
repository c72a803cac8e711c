"""The words everybody shares: ids, time, errors, stream values, facts, and the ports to the edges."""
