"""Files read as one source reads them, with nothing asked of their events: `breachwatch parse`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from breachwatch.collectors.whole_files import read_records
from breachwatch.kernel.streams import Tally
from breachwatch.kernel.time import from_microseconds, rfc3339, to_microseconds
from breachwatch.sources.event import TOO_LONG, Event, Ignored
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source
from breachwatch.wiring.replaying import Advance, Logs, one_of


class Reading:
    """Reads files of one source; `tally` grows.

    Raises:
        NotFoundError: no such source.
        ContentError: a source definition with problems.
    """

    def __init__(self, logs: Logs) -> None:
        self.source: Source = one_of(load_sources(logs.source_files, timezone=logs.timezone), logs.source)
        self.tally = Tally()
        self._received_us = to_microseconds(logs.reference)

    def run(self, file: Path, advance: Advance, *, native: bool = False) -> Iterator[dict[str, Any]]:
        """One object a record: its position, its time and OCSF attributes, or why it is no event.

        Args:
            file: read whole, whatever it is packed in.
            advance: told how many bytes were read.
            native: with the fields as the source names them, too.

        Raises:
            ContentError: it cannot be read.
        """
        for position, record in read_records(file, self.source.framing, advance):
            too_long = record.size > len(record.body)
            outcome = TOO_LONG if too_long else self.source.parse(record.body, self._received_us)
            told: dict[str, Any] = {"record": position}
            if isinstance(outcome, Event):
                self.tally += Tally(1, 1)
                told |= {**self.source.to_ocsf(outcome), "time": rfc3339(from_microseconds(outcome.at_us))}
                told |= {"native": outcome.fields} if native else {}
            elif isinstance(outcome, Ignored):
                self.tally += Tally(1, ignored={outcome.reason: 1})
                told |= {"time": None, "ignored": outcome.reason}
            else:
                self.tally += Tally(1, dead={outcome.reason: 1})
                told |= {"time": None, "dead": outcome.reason}
            yield told
