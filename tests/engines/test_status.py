"""How the service is doing: what fails is named, what is not there yet is waited for, what came last has its time."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from breachwatch.engines.status import service_status

ENGINE: Mapping[str, Any] = {"trouble": {}, "totals": {}, "broken_rules": {}, "waiting_chunks": 0}
AT = datetime(2026, 3, 27, 13, tzinfo=UTC)


class Collector:
    """Tells what the test says."""

    def __init__(self, **told: Any) -> None:
        self.told = {"trouble": "", **told}

    def status(self) -> Mapping[str, Any]:
        return self.told


def seen(**told: Any) -> tuple[dict[str, Any], list[str]]:
    status = service_status(ENGINE, [("linux-sshd", "file", Collector(**told))])
    return status["sources"][0], status["troubles"]


def test_what_is_read_is_told_with_its_place_and_its_last_record() -> None:
    source, troubles = seen(place="/var/log/auth.log", last_at=AT)
    assert (source["how"], source["state"], source["last_at"]) == ("file /var/log/auth.log", "reading", AT)
    assert troubles == []


def test_what_is_not_there_yet_is_waited_for_and_is_no_trouble() -> None:
    source, troubles = seen(waiting="not there yet; waiting for it to appear")
    assert (source["state"], source["detail"]) == ("waiting", "not there yet; waiting for it to appear")
    assert troubles == []


def test_a_file_that_cannot_be_read_is_a_trouble() -> None:
    source, troubles = seen(problems={"/var/log/auth.log": "cannot be read: Permission denied"})
    assert source["state"] == "failed"
    assert troubles == ["linux-sshd (file): /var/log/auth.log: cannot be read: Permission denied"]


def test_while_nothing_can_be_stored_everything_that_is_wrong_is_told() -> None:
    source, _ = seen(trouble="the disk is full", problems={"a": "cannot be read"}, waiting="not there yet")
    assert (source["state"], source["detail"]) == ("failed", "the disk is full; a: cannot be read")
