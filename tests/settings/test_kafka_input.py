"""A topic of somebody else as an input: on the brokers of `[kafka]`, or on others that the input itself can reach."""

from pathlib import Path

import pytest

from breachwatch.kernel.errors import ContentError
from breachwatch.settings import KafkaInput, Settings, read_settings

NEEDED = """[organisation]
name = "Example Shop"
dpo_name = "Camille"
dpo_email = "dpo@shop.example"
[mail]
sender = "privacy@shop.example"
[[inputs]]
type = "kafka"
topic = "shop.audit"
source = "app-audit"
"""


def read(folder: Path, more: str) -> Settings:
    file = folder / "breachwatch.toml"
    file.write_text(NEEDED + more, encoding="utf-8")
    return read_settings(file)


def test_by_default_it_is_on_the_brokers_of_the_cluster_from_the_beginning(tmp_path: Path) -> None:
    (entry,) = read(tmp_path, "").inputs
    assert isinstance(entry, KafkaInput)
    assert (entry.brokers, entry.cluster, entry.start, entry.group) == ((), "", "beginning", "")


def test_brokers_of_its_own_are_reached_as_it_says_and_paths_are_beside_the_file(tmp_path: Path) -> None:
    more = 'brokers = ["b.example.com:9093", "a.example.com:9093"]\nusername = "we"\npassword_file = "kafka.password"\n'
    (entry,) = read(tmp_path, more).inputs
    assert isinstance(entry, KafkaInput)
    assert entry.password_file == tmp_path / "kafka.password"
    assert entry.cluster == "a.example.com:9093,b.example.com:9093", "in whatever order they are named"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ('username = "we"\npassword_file = "p"\n', "only with brokers named here"),
        ('security = "none-loopback-only"\n', "only with brokers named here"),
        ('brokers = ["a.example.com:9092"]\nsecurity = "none-loopback-only"\n', "beyond loopback Kafka needs"),
        ('brokers = ["a.example.com:9093"]\nusername = "we"\n', "username and password_file go together"),
        ('topics = ["a"]\n', "topics"),
        ("[collect]\nspool_mib = 1\n", "greater than or equal to 64"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(tmp_path: Path, more: str, told: str) -> None:
    with pytest.raises(ContentError, match=told) as refused:
        read(tmp_path, more)
    assert "breachwatch.toml" in str(refused.value)
