"""The first records of a file, cut as a source would have them cut."""

from pathlib import Path

from breachwatch.collectors.evtx_records import MAGIC, evtx_records
from breachwatch.collectors.packed import head_of
from breachwatch.collectors.whole_files import splitter_for
from breachwatch.sources.guess import MOST_RECORDS, SampleOf
from breachwatch.sources.source import Framing

SAMPLE_BYTES = 1 << 20


def sampler(path: Path) -> SampleOf:
    """A function that gives the records of a file's first mebibyte for a way of cutting.

    Raises:
        ContentError: it cannot be read.
    """
    head = head_of(path, SAMPLE_BYTES)
    whole = len(head) < SAMPLE_BYTES

    def sample(framing: Framing) -> list[bytes]:
        if head.startswith(MAGIC):
            if framing.kind != "json":
                return []
            events = evtx_records(path, lambda _size: None)
            return [record.body for _, record in zip(range(MOST_RECORDS), events, strict=False)]
        splitter = splitter_for(framing, head)
        records = splitter.feed(head)
        if whole or not records:  # else the last is cut off
            records += splitter.flush()
        return [record.body for record in records]

    return sample
