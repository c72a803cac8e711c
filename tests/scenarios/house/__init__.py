"""What the scenario tests share: a service in a process of its own, its mail server, its logs, its clock."""
