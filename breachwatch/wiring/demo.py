"""The demo: a service on logs of its own, with a mail server and somebody who plays the day."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from breachwatch.demo.house import TEAM, ZONE, open_house
from breachwatch.demo.player import Player
from breachwatch.engines.host import Part
from breachwatch.kernel.ports import Member
from breachwatch.settings import read_settings
from breachwatch.wiring.clock import now
from breachwatch.wiring.service import Service, build_service
from breachwatch.wiring.stores import offer


@dataclass(frozen=True, slots=True)
class Demo:
    """A service on the demo's own logs, with its mail server, its player and a one-time sign-in for each member."""

    service: Service
    player: Player
    mailbox_url: str
    settings_file: Path
    sign_ins: Mapping[str, str]


def build_demo(folder: Path, *, fresh: bool = False, desk_port: int = 8420) -> Demo:
    """Put a demo together in a folder of its own.

    Raises:
        RefusedError: the folder is in use for something else.
        UnavailableError: another demo runs there, or no port can be had.
    """
    house = open_house(folder, fresh=fresh, desk_port=desk_port)
    player = Player(house.stage, house.stage.set_up(now(), ZoneInfo(ZONE)))
    service = build_service(read_settings(house.settings_file), mailbox_url=house.mailbox_url)
    sign_ins = {}
    for name, (shown, role) in TEAM.items():
        service.team.put(Member(name, shown, frozenset({role})), None)
        sign_ins[name] = offer(service.team, name, now(), timedelta(hours=12))
    more: dict[str, Part] = {
        "mail server": house.take_mail,
        "mailbox": lambda stop: house.show_mail(service.desk_url, stop),
    }
    service = replace(service, parts={**service.parts, **more})
    return Demo(service, player, house.mailbox_url, house.settings_file, sign_ins)
