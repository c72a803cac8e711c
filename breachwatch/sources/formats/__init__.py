"""How records are written: JSON, CSV, CEF, LEEF, logfmt, syslog, web access lines, and times in all of them."""
