"""The composition root: the only package that names concrete classes and puts them together.

`service.py` is all of `breachwatch up`; `demo.py` wraps it; `stores.py`, `replaying.py` and `content.py` are what
single commands need. `clock.py` reads the wall clock.
"""

from breachwatch.wiring.clock import now
from breachwatch.wiring.content import check_playbooks
from breachwatch.wiring.demo import Demo, build_demo
from breachwatch.wiring.replaying import Advance, build_replay
from breachwatch.wiring.rules import lint_rules, tagged_rules
from breachwatch.wiring.service import Service, build_service
from breachwatch.wiring.stores import add_member, offer, offer_sign_in, open_store

__all__ = [
    "Advance",
    "Demo",
    "Service",
    "add_member",
    "build_demo",
    "build_replay",
    "build_service",
    "check_playbooks",
    "lint_rules",
    "now",
    "offer",
    "offer_sign_in",
    "open_store",
    "tagged_rules",
]
