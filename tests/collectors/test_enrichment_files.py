"""The operator's own files tell whose an address is; what is wrong in them is said with its line."""

from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from breachwatch.collectors.enrichment_files import open_enrichment
from breachwatch.kernel.errors import ContentError


@pytest.fixture
def places(tmp_path: Path) -> Path:
    path = tmp_path / "places.mmdb"
    writer = MMDBWriter(ip_version=6, database_type="GeoLite2-City", ipv4_compatible=True)
    told: dict[str, Any] = {"country": {"iso_code": "FR"}, "city": {"names": {"en": "Lyon"}}}
    writer.insert_network(IPSet(["203.0.113.0/24"]), told)
    writer.to_db_file(str(path))
    return path


def test_assets_networks_and_places_all_add_to_the_evidence(tmp_path: Path, places: Path) -> None:
    assets, networks = tmp_path / "assets.csv", tmp_path / "networks.csv"
    assets.write_text("asset,owner,name\nweb1.example.com,shop team,shop front\n")
    networks.write_text("name,network\nvisitors,203.0.113.0/25\n")
    known = open_enrichment(assets, networks, [places])
    told = known.sample({"src_endpoint": {"ip": "203.0.113.9"}, "device": {"hostname": "web1.example.com"}})
    assert told["src_endpoint"]["zone"] == "visitors"
    assert told["src_endpoint"]["location"] == {"country": "FR", "city": "Lyon"}
    assert told["device"]["owner"] == {"name": "shop team"}


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    assets, networks, places = (tmp_path / name for name in ("assets.csv", "networks.csv", "places.mmdb"))
    assets.write_text("asset,team\nweb1.example.com,shop team\n")
    networks.write_text("network,name\n203.0.113.0/99,visitors\n198.51.100.0/24,\n")
    places.write_bytes(b"not a database")
    with pytest.raises(ContentError) as caught:
        open_enrichment(assets, networks, [places, tmp_path / "absent.mmdb"])
    told = [(Path(each.path).name, each.line) for each in caught.value.problems]
    assert sorted(told) == [
        ("absent.mmdb", 0),
        ("assets.csv", 1),
        ("networks.csv", 2),
        ("networks.csv", 3),
        ("places.mmdb", 0),
    ]


def test_nothing_given_is_nothing_added() -> None:
    assert open_enrichment().sample({"src_endpoint": {"ip": "203.0.113.9"}}) == {"src_endpoint": {"ip": "203.0.113.9"}}
