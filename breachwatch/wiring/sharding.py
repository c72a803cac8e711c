"""The two stages as the Kafka engine takes them, made of the operator's playbooks and adjustments."""

from collections.abc import Callable
from dataclasses import dataclass

from breachwatch.detection.correlating.routing import Router
from breachwatch.detection.correlating.sharding import Room, ShardedCorrelator
from breachwatch.detection.detector import Detector
from breachwatch.detection.playbooks.content import Content
from breachwatch.engines.kafka.correlate_stage import Sharding
from breachwatch.kernel.pseudonyms import Pseudonymise
from breachwatch.wiring.detecting import LiveContent


@dataclass(frozen=True, slots=True)
class ShardedStages:
    """The two stages made of one content, the second one for any number of partitions."""

    detector: Detector
    sharding: Sharding


def first_stages(live: LiveContent, pseudonymise: Pseudonymise) -> ShardedStages:
    """Stages of the files as they were first read."""
    content, detector = live.detecting(pseudonymise)
    return ShardedStages(detector, sharding_of(content))


def stages_reader(live: LiveContent, pseudonymise: Pseudonymise) -> Callable[[], ShardedStages]:
    """What reads the files anew; it raises `ContentError` with everything that is wrong with them."""

    def read() -> ShardedStages:
        content, detector = live.detecting(pseudonymise, anew=True)
        return ShardedStages(detector, sharding_of(content))

    return read


def sharding_of(content: Content) -> Sharding:
    """What divides matches of this content, and correlates what falls to a partition; all partitions share one room."""
    room = Room()
    return Sharding(Router(content), lambda: ShardedCorrelator(content, room=room))
