"""People of the team, and a text with every part that the law asks for."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import pytest

from breachwatch.kernel.facts import Actor
from breachwatch.notices.decide import decide, evolve
from breachwatch.notices.facts import NoticeText
from breachwatch.notices.parts import PARTS
from breachwatch.notices.state import Notices


@pytest.fixture
def camille() -> Actor:
    return Actor("camille", roles=frozenset({"dpo"}))


@pytest.fixture
def ines() -> Actor:
    return Actor("ines", roles=frozenset({"analyst", "dpo"}))


@pytest.fixture
def whole() -> NoticeText:
    parts = "\n\n".join(f"## About {part} {{#{part}}}\n\nWords about it." for part in PARTS)
    return NoticeText("Your data at Example Shop", f"Dear {{person_name}},\n\n{parts}\n")


@pytest.fixture
def carry_out() -> Callable[..., Notices]:
    """Fold what each command says into the notices."""

    def run(state: Notices, *commands: Any) -> Notices:
        return reduce(lambda now, command: reduce(evolve, decide(now, command), now), commands, state)

    return run
