"""Old logs into the topic of records, and the topic read back: `breachwatch replay --into kafka` and `--from-topic`."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from breachwatch.collectors.backfill import Progress, Sent, send_files
from breachwatch.collectors.file_ranges import cut_files, read_range
from breachwatch.collectors.whole_files import in_one_piece
from breachwatch.engines.kafka.connection import Connection
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.replay import replay
from breachwatch.engines.replay_parallel import Given, matched
from breachwatch.engines.replay_topic import chunks_of, read_parts
from breachwatch.engines.wire import pack_chunk
from breachwatch.kernel.errors import NotFoundError
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.kernel.streams import Alert, Chunk, Tally
from breachwatch.ledger.keys import open_pseudonym_key
from breachwatch.settings import Settings
from breachwatch.sources.registry import zoned_name
from breachwatch.wiring.collect import topic_writer
from breachwatch.wiring.detecting import LiveContent
from breachwatch.wiring.inputs import sources_of
from breachwatch.wiring.replaying import Advance, Logs, one_of
from breachwatch.wiring.topics import connect

PROGRESS_FILE = "backfill.json"


@dataclass(frozen=True, slots=True)
class Backfill:
    """Files of one source that are to go into a topic. `topic`: which; `run` sends them."""

    topic: str
    run: Callable[[Sequence[Path], Advance], Sent]


def build_backfill(settings: Settings, logs: Logs, *, machine: str = "") -> Backfill:
    """What sends old files into the topic of records.

    Args:
        settings: the brokers, the prefix, and where progress is noted.
        logs: their source, as the workers know it: with a zone only if an input of these settings has the same.
        machine: begins the origin of their records, where several machines have files of one path.

    Raises:
        NotFoundError: the workers know no such source.
        ContentError: source definitions or settings with problems.
    """
    zone = "" if logs.timezone == "UTC" else logs.timezone
    source = one_of(sources_of(settings), zoned_name(logs.source, zone))
    to, topic = connect(settings), Names(settings.kafka.prefix).records

    def run(files: Sequence[Path], advance: Advance) -> Sent:
        def read(file: Path) -> Iterator[Chunk]:
            for part in cut_files([file], in_one_piece=lambda path: in_one_piece(path, source.framing)):
                yield from read_range(part, source.name, logs.reference, advance, source.framing)

        progress = Progress(settings.state_dir / PROGRESS_FILE, topic, source.name)

        async def send() -> Sent:
            await to.wait_until_open([topic])
            return await send_files(files, read, topic_writer(to, topic), pack_chunk, progress, machine=machine)

        return asyncio.run(send())

    return Backfill(topic, run)


def build_topic_replay(
    settings: Settings,
    topic: str,
    *,
    playbooks: Path | None = None,
    adjustments: Path | None = None,
    source_files: Sequence[Path] = (),
    workers: int = 1,
) -> Callable[[Callable[[int], object], Advance], tuple[list[Alert], Tally]]:
    """A replay of what a topic of records holds now.

    `run(opened, advance)` tells how many Kafka records there are, and of each further number that was read.

    Args:
        settings: the brokers, the sources and, unless named here, playbooks and adjustments: as workers have them.
        topic: its full name, or `records` for that of the prefix.
        playbooks: a folder of others.
        adjustments: a file of others.
        source_files: further source definitions.
        workers: processes that match.

    Raises:
        ContentError: settings, sources, playbooks or adjustments with problems.
    """
    changed = {
        "playbooks_dir": playbooks or settings.playbooks_dir,
        "adjustments": adjustments or settings.adjustments,
        "source_files": (*settings.source_files, *source_files),
    }
    settings = settings.model_copy(update=changed)
    to, names = connect(settings), Names(settings.kafka.prefix)
    named = topic if "." in topic else names.topic(topic)
    live = LiveContent(settings, sources_of(settings))

    def run(opened: Callable[[int], object], advance: Advance) -> tuple[list[Alert], Tally]:
        asyncio.run(to.check([named]))
        stages = live.stages(pseudonymiser(_key(settings, to, named)))
        parts = read_parts(named, to.client(), to.told, opened)
        chunks = matched(parts, chunks_of, stages.detector, workers=workers, advance=advance)
        return replay(chunks, Given(), stages.correlator)

    return run


def _key(settings: Settings, to: Connection, topic: str) -> bytes:
    """The pseudonym key of the workers where it is at hand, so that references and alerts are those of the ledger.

    Elsewhere one that comes from the records themselves: references can be compared between two replays, and nobody
    learns from them who it was without having the records, which name everybody anyway.
    """
    try:
        return open_pseudonym_key(settings.state_dir)
    except NotFoundError:
        digest = blake2b(digest_size=32, person=b"replay")
        for part in read_parts(topic, to.client(), to.told):
            for one in part:
                digest.update(one.value)
            break
        return digest.digest()
