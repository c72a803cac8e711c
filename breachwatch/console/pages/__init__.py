"""One module a page: what it shows and what its forms ask of the case."""
