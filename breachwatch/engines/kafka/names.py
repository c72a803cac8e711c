"""What things are called in Kafka; all names begin with the operator's prefix, so that houses may share brokers."""

from dataclasses import dataclass
from typing import Literal

Stage = Literal["match", "correlate"]


@dataclass(frozen=True, slots=True)
class Names:
    """Names of topics, groups and transactions. `prefix` begins them all: `breachwatch` unless set otherwise."""

    prefix: str = "breachwatch"

    def topic(self, short: str) -> str:
        """The topic of a stream by its name within the program: `records`, `dead-letters`."""
        return f"{self.prefix}.{short}"

    @property
    def records(self) -> str:
        """Chunks of raw records."""
        return self.topic("records")

    @property
    def progress(self) -> str:
        """How far each partition of records has been matched: the changelog of the match stage."""
        return self.topic("progress")

    @property
    def matches(self) -> str:
        """Batches of matches, and ticks."""
        return self.topic("matches")

    @property
    def windows(self) -> str:
        """The state of windows: the changelog of the correlate stage."""
        return self.topic("windows")

    @property
    def alerts(self) -> str:
        """Alerts, for cases and for others."""
        return self.topic("alerts")

    @property
    def facts(self) -> str:
        """Facts of cases, for others."""
        return self.topic("facts")

    @property
    def dead_letters(self) -> str:
        """Addresses of records that could not be read."""
        return self.topic("dead-letters")

    @property
    def detection_group(self) -> str:
        """The group of all workers; also the id of their Faust app."""
        return f"{self.prefix}-detection"

    @property
    def cases_group(self) -> str:
        """The group of those who take alerts into case files."""
        return f"{self.prefix}-cases"

    def packer_group(self, topic: str, source: str) -> str:
        """The group of those who read somebody else's topic as a source."""
        return f"{self.prefix}-pack-{topic}-{source}"

    def transactional_id(self, stage: Stage, partition: int) -> str:
        """Who writes for one partition of a stage; whoever takes it over fences the one before."""
        return f"{self.prefix}-{stage}-{partition}"
