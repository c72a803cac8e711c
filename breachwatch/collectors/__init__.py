"""Ways in: files followed or whole, standard input, syslog, OTLP; and what is looked up beside them."""
