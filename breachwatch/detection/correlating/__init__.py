"""From matches to alerts: windows of event time, small while quiet, the same after a crash."""
