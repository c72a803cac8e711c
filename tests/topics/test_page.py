"""The page about the streams: what it tells a reader to type works, on a real broker."""

import asyncio
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from breachwatch.engines.kafka.connection import connection
from breachwatch.engines.kafka.facts import KafkaFacts
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.kafka.topic_admin import make_missing
from breachwatch.engines.kafka.topics import wanted_topics
from breachwatch.engines.streams import load_streams
from breachwatch.incidents.facts import NoteAttached
from breachwatch.kernel.facts import GENESIS, Recorded
from breachwatch.kernel.ids import IncidentId
from breachwatch.ledger.rows import fact_item

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/topics.md").read_text("utf-8")
STREAMS = load_streams(ROOT / "topics")
AT = datetime(2026, 3, 27, 9, tzinfo=UTC)
SETTINGS = """
[organisation]
name = "Example Shop"
dpo_name = "Camille Example"
dpo_email = "dpo@shop.example"

[mail]
sender = "privacy@shop.example"

[kafka]
brokers = ["{bootstrap}"]
prefix = "{prefix}"
security = "none-loopback-only"
"""


def test_the_commands_of_the_page_do_their_work_in_the_order_of_the_page(
    kafka: Any, kafka_prefix: str, tmp_path: Path
) -> None:
    settings = SETTINGS.format(bootstrap=kafka.bootstrap, prefix=kafka_prefix)
    (tmp_path / "breachwatch.toml").write_text(settings, encoding="utf-8")
    [block] = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    program = Path(sys.executable).with_name("breachwatch")
    for line in block.splitlines():
        done = subprocess.run([program, *line.split()[1:]], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), line


def test_the_program_of_the_page_follows_facts_and_tells_each_once(
    kafka: Any, kafka_prefix: str, tmp_path: Path
) -> None:
    names, to = Names(kafka_prefix), connection([kafka.bootstrap], tls=False)
    asyncio.run(make_missing(to, wanted_topics(STREAMS, names, 1, {})))
    with KafkaFacts(to, names) as facts:
        for number in (1, 2, 2, 3):
            facts.publish(_envelope(number))
    [code] = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert code.count('"breachwatch.facts"') == 1
    (tmp_path / "follow.py").write_text(code.replace("breachwatch.facts", names.facts), encoding="utf-8")
    command = [sys.executable, tmp_path / "follow.py", kafka.bootstrap]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        told = [following.stdout.readline() for _ in range(3)]
        following.terminate()
    assert told == [f"2026-03-27T09:00:0{number}Z in-1 NoteAttached\n" for number in (1, 2, 3)]


def _envelope(number: int) -> dict[str, Any]:
    at = AT.replace(second=number)
    fact = Recorded(IncidentId("in-1"), number, "NoteAttached", at, "dpo", "person", NoteAttached("x"), GENESIS, "ab")
    return dict(fact_item(fact, {"text": "x"}).payload)


@pytest.mark.parametrize("stream", STREAMS.values(), ids=lambda stream: stream.short)
def test_the_page_tells_of_each_stream_who_writes_it_and_where(stream: Any) -> None:
    [row] = re.findall(rf"^\| `{stream.short}` \| ([^|]+) \| ([^|]+) \|", PAGE, re.MULTILINE)
    places = {"any": "any", "key": "that of the key", "group": "that of the group that is counted"}
    place = places.get(stream.placed_by, f"the same number as of `{stream.placed_by}`")
    assert row == (", ".join(stream.written_by), place)


def test_the_page_tells_every_key_of_a_streams_file() -> None:
    keys = PAGE.partition("## Keys of a stream's file")[2]
    told = {
        name for cell in re.findall(r"^\| (`[^|]+`) \|", keys, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    }
    assert told == set(type(STREAMS["records"]).model_fields)
