"""Values that are too large for one Kafka record, as several."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from breachwatch.engines.kafka.writer import MOST_BYTES
from breachwatch.kernel.streams import Alert, Match, MatchBatch


def split_batch(
    batch: MatchBatch, pack: Callable[[MatchBatch], bytes], most: int = MOST_BYTES
) -> tuple[list[bytes], list[Match]]:
    """A batch as values that fit; only the last tells how far time has come, for the others come before it.

    A match that is too large alone goes without its sample.

    Returns:
        (values in order, matches that are too large even so).
    """
    value = pack(batch)
    if len(value) <= most:
        return [value], []
    every = [(family, match) for family, matches in batch.matches.items() for match in matches]
    if len(every) > 1:
        half = len(every) // 2
        early = replace(batch, received_us=0, clocks={}, matches=_grouped(every[:half]))
        first, lost = split_batch(early, pack, most)
        second, more = split_batch(replace(batch, matches=_grouped(every[half:])), pack, most)
        return first + second, lost + more
    if every and every[0][1].sample:
        family, match = every[0]
        return split_batch(replace(batch, matches={family: (replace(match, sample={}),)}), pack, most)
    return [pack(replace(batch, matches={}))], [match for _, match in every]


def _grouped(every: list[tuple[str, Match]]) -> dict[str, tuple[Match, ...]]:
    found: dict[str, list[Match]] = {}
    for family, match in every:
        found.setdefault(family, []).append(match)
    return {family: tuple(matches) for family, matches in found.items()}


def split_alert(alert: Alert, pack: Callable[[Alert], bytes], most: int = MOST_BYTES) -> Iterator[bytes]:
    """An alert as values that fit: each the same revision, with some of the references that are new in it.

    Without its samples where these alone are too large.
    """
    value = pack(alert)
    if len(value) <= most:
        yield value
        return
    if len(alert.subjects) + len(alert.supersedes) <= 1:
        yield pack(replace(alert, samples=()))
        return
    half, other = len(alert.subjects) // 2, len(alert.supersedes) // 2
    first = replace(alert, subjects=alert.subjects[:half], supersedes=alert.supersedes[:other])
    second = replace(alert, subjects=alert.subjects[half:], supersedes=alert.supersedes[other:])
    yield from split_alert(first, pack, most)
    yield from split_alert(second, pack, most)
