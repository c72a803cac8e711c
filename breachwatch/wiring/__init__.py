"""The composition root: the only package that names concrete classes and puts them together.

`service.py` is all of `breachwatch up`; `demo.py` wraps it; the others are what single commands need. `clock.py` reads
the wall clock. A module is loaded when something of it is first asked for: who looks at rules needs no desk.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from breachwatch.wiring.backfill import build_backfill, build_topic_replay
    from breachwatch.wiring.cache import Cache, NoCache
    from breachwatch.wiring.clock import now
    from breachwatch.wiring.clocking import build_clock
    from breachwatch.wiring.collect import build_collect
    from breachwatch.wiring.console import build_console
    from breachwatch.wiring.content import check_adjustments, check_playbooks
    from breachwatch.wiring.courier import build_courier
    from breachwatch.wiring.demo import Demo, build_demo
    from breachwatch.wiring.explaining import Explained, explain_match, explain_replay
    from breachwatch.wiring.matching import Hit, Matching, build_matching, load_plain_rules
    from breachwatch.wiring.moving import Moved, move_ledger
    from breachwatch.wiring.process import Process
    from breachwatch.wiring.proposing import Proposed, build_proposal
    from breachwatch.wiring.reading import Reading
    from breachwatch.wiring.replaying import Advance, Logs, build_replay, build_tuning
    from breachwatch.wiring.rules import lint_rules, tagged_rules
    from breachwatch.wiring.service import Service, build_service
    from breachwatch.wiring.sources import guess_source, known_source, known_sources, logsource_text
    from breachwatch.wiring.stores import add_member, make_keys, offer, offer_sign_in, open_store
    from breachwatch.wiring.topics import TopicsReport, apply_topics, compare_topics, connect, topic_rights, topics_of
    from breachwatch.wiring.tree import Tree, build_tree
    from breachwatch.wiring.worker import build_worker

__all__ = [
    "Advance",
    "Cache",
    "Demo",
    "Explained",
    "Hit",
    "Logs",
    "Matching",
    "Moved",
    "NoCache",
    "Process",
    "Proposed",
    "Reading",
    "Service",
    "TopicsReport",
    "Tree",
    "add_member",
    "apply_topics",
    "build_backfill",
    "build_clock",
    "build_collect",
    "build_console",
    "build_courier",
    "build_demo",
    "build_matching",
    "build_proposal",
    "build_replay",
    "build_service",
    "build_topic_replay",
    "build_tree",
    "build_tuning",
    "build_worker",
    "check_adjustments",
    "check_playbooks",
    "compare_topics",
    "connect",
    "explain_match",
    "explain_replay",
    "guess_source",
    "known_source",
    "known_sources",
    "lint_rules",
    "load_plain_rules",
    "logsource_text",
    "make_keys",
    "move_ledger",
    "now",
    "offer",
    "offer_sign_in",
    "open_store",
    "tagged_rules",
    "topic_rights",
    "topics_of",
]

_HOMES = {
    "Moved": "moving",
    "move_ledger": "moving",
    "Tree": "tree",
    "build_tree": "tree",
    "make_keys": "stores",
    "Process": "process",
    "build_console": "console",
    "build_courier": "courier",
    "build_backfill": "backfill",
    "build_topic_replay": "backfill",
    "build_clock": "clocking",
    "build_collect": "collect",
    "build_worker": "worker",
    "TopicsReport": "topics",
    "apply_topics": "topics",
    "compare_topics": "topics",
    "connect": "topics",
    "topic_rights": "topics",
    "topics_of": "topics",
    "explain_match": "explaining",
    "explain_replay": "explaining",
    "Explained": "explaining",
    "check_adjustments": "content",
    "guess_source": "sources",
    "build_proposal": "proposing",
    "Proposed": "proposing",
    "logsource_text": "sources",
    "known_sources": "sources",
    "known_source": "sources",
    "Reading": "reading",
    "Advance": "replaying",
    "Cache": "cache",
    "Demo": "demo",
    "Hit": "matching",
    "Logs": "replaying",
    "Matching": "matching",
    "NoCache": "cache",
    "Service": "service",
    "add_member": "stores",
    "build_demo": "demo",
    "build_matching": "matching",
    "build_replay": "replaying",
    "build_service": "service",
    "build_tuning": "replaying",
    "check_playbooks": "content",
    "lint_rules": "rules",
    "load_plain_rules": "matching",
    "now": "clock",
    "offer": "stores",
    "offer_sign_in": "stores",
    "open_store": "stores",
    "tagged_rules": "rules",
}


def __getattr__(name: str) -> Any:
    """What is asked for, out of its module."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
