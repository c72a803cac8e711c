"""Evidence says what the organisation knows of an address: whose it is, which network, which country."""

from ipaddress import ip_network
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from breachwatch.detection.telling.enrichment import Asset, Enrichment, Place, Ranges

NETWORKS = [
    (ip_network("198.51.100.0/24"), "office"),
    (ip_network("198.51.100.64/26"), "office, guests"),
    (ip_network("2001:db8::/32"), "data centre"),
]
KNOWN = Enrichment(
    Ranges(NETWORKS),
    {"db1.example.com": Asset("database team", "customer database"), "198.51.100.9": Asset("support")},
    lambda address: Place("FR", "Lyon", 64500, "Example Net") if address.startswith("203.0.113.") else None,
)


def test_the_narrowest_network_names_an_address() -> None:
    told = KNOWN.sample({"src_endpoint": {"ip": "198.51.100.70"}, "dst_endpoint": {"ip": "2001:db8::7"}})
    assert told["src_endpoint"]["zone"] == "office, guests"
    assert told["dst_endpoint"]["zone"] == "data centre"


def test_hosts_have_owners_and_addresses_have_places() -> None:
    told = KNOWN.sample({"device": {"hostname": "DB1.example.com"}, "src_endpoint": {"ip": "203.0.113.5", "port": 1}})
    assert told["device"] == {
        "owner": {"name": "database team"},
        "name": "customer database",
        "hostname": "DB1.example.com",
    }
    assert told["src_endpoint"]["location"] == {"country": "FR", "city": "Lyon"}
    assert told["src_endpoint"]["autonomous_system"] == {"number": 64500, "name": "Example Net"}


def test_what_the_event_says_itself_is_never_replaced() -> None:
    told = KNOWN.sample({"src_endpoint": {"ip": "203.0.113.5", "location": {"country": "DE"}}})
    assert told["src_endpoint"]["location"] == {"country": "DE"}


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.sampled_from(["203.0.113.5", "198.51.100.9"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["ip", "hostname", "zone", "a"]), inner, max_size=3)
    ),
    max_leaves=12,
)


def within(small: Any, large: Any) -> bool:
    if isinstance(small, dict):
        return isinstance(large, dict) and all(key in large and within(each, large[key]) for key, each in small.items())
    if isinstance(small, list):
        return len(small) == len(large) and all(map(within, small, large))
    return bool(small == large)


@given(st.dictionaries(st.text(max_size=5), json_like, max_size=4))
def test_whatever_a_sample_holds_all_of_it_is_kept(sample: dict[str, Any]) -> None:
    assert within(sample, KNOWN.sample(sample))


@given(
    st.lists(st.ip_addresses(v=4).flatmap(lambda a: st.integers(0, 32).map(lambda n: (a, n))), max_size=8),
    st.ip_addresses(v=4),
)
def test_a_range_holds_what_its_network_holds(named: list[tuple[Any, int]], address: Any) -> None:
    networks = [ip_network((each, length), strict=False) for each, length in named]
    ranges = Ranges((network, str(network)) for network in networks)
    holding = [network for network in networks if address in network]
    narrowest = max(holding, key=lambda network: network.prefixlen, default=None)
    assert ranges.name_of(address) == (str(narrowest) if narrowest else "")
