"""Ways in: file tail, standard input, syslog, HTTP."""
