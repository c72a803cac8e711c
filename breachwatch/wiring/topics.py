"""What `breachwatch topics` needs: the topics as settings want them, held against those of the brokers."""

import asyncio
from dataclasses import dataclass

from breachwatch.engines.kafka.connection import Connection, connection
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.kafka.rights import rights
from breachwatch.engines.kafka.topic_admin import open_admin
from breachwatch.engines.kafka.topics import Difference, Wanted, compare, wanted_topics
from breachwatch.engines.streams import load_streams
from breachwatch.kernel.shipped import shipped
from breachwatch.settings import KafkaAccess, KafkaInput, Settings, read_secret


@dataclass(frozen=True, slots=True)
class TopicsReport:
    """How the topics are. `made` and `changed`: what was done just now; `left`: the differences that remain."""

    topics: tuple[Wanted, ...]
    made: tuple[Wanted, ...] = ()
    changed: tuple[Difference, ...] = ()
    left: tuple[Difference, ...] = ()


def connect(settings: Settings) -> Connection:
    """How one gets to the brokers of `[kafka]`.

    Raises:
        ContentError: no broker is named, or a file of a certificate or password cannot be read.
    """
    return reach(settings.kafka)


def reach(access: KafkaAccess) -> Connection:
    """How one gets to some brokers.

    Raises:
        ContentError: no broker is named, or a file of a certificate or password cannot be read.
    """
    return connection(
        access.brokers,
        tls=access.security == "tls",
        certificate_authority_file=access.certificate_authority_file,
        certificate_file=access.certificate_file,
        key_file=access.key_file,
        username=access.username,
        password=read_secret(access.password_file) if access.password_file else "",
        mechanism=access.mechanism,
    )


def topics_of(settings: Settings) -> tuple[Wanted, ...]:
    """Every topic as `topics/` and `[kafka]` want it.

    Raises:
        ContentError: `kafka.partitions` names a stream that is none, or does not fit together.
    """
    kafka = settings.kafka
    return wanted_topics(load_streams(shipped("topics")), Names(kafka.prefix), kafka.replication, kafka.partitions)


def topic_rights(settings: Settings) -> list[tuple[str, str]]:
    """(process, command that grants it what it needs), for users called by the prefix and the process.

    Raises:
        ContentError: no broker is named.
    """
    kafka, brokers, names = settings.kafka, connect(settings).brokers, Names(settings.kafka.prefix)
    packed = [
        (entry.topic, entry.group or names.packer_group(entry.topic, entry.reads))
        for entry in settings.inputs
        if isinstance(entry, KafkaInput) and not entry.brokers
    ]
    found = rights(load_streams(shipped("topics")), names, packed)
    return [(one.process, one.command(brokers, f"{kafka.prefix}-{one.process}")) for one in found]


def compare_topics(settings: Settings) -> TopicsReport:
    """How the topics differ from what is wanted; nothing is touched.

    Raises:
        ContentError: settings are wrong, or the brokers do not let us in.
        UnavailableError: they are away.
    """
    return asyncio.run(_apply(connect(settings), topics_of(settings), make=False, change=False))


def apply_topics(settings: Settings, *, change: bool = False) -> TopicsReport:
    """Make the topics that are missing; with `change`, alter those that differ where that takes nothing from anybody.

    Raises:
        ContentError: settings are wrong, the brokers do not let us in or do not take what is wanted.
        UnavailableError: they are away.
    """
    return asyncio.run(_apply(connect(settings), topics_of(settings), make=True, change=change))


async def _apply(to: Connection, wanted: tuple[Wanted, ...], *, make: bool, change: bool) -> TopicsReport:
    names = {one.topic.name for one in wanted}
    async with open_admin(to) as admin:
        found = await admin.found(names)
        made: list[str] = []
        if make and (missing := [one for one in wanted if one.topic.name not in found]):
            made = await admin.create(missing)
            found = await admin.found(names)
        differences = compare(wanted, found)
        changed = [one for one in differences if change and one.cure == "change"]
        if changed:
            await admin.change(changed)
        left = [one for one in differences if one not in changed]
    return TopicsReport(wanted, tuple(one for one in wanted if one.topic.name in made), tuple(changed), tuple(left))
