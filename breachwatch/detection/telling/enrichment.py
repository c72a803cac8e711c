"""What the organisation knows of addresses and hosts, added to the evidence of an alert: names, owners, places.

Nothing here decides anything: the group, the count and the id of an alert stay as they are.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from breachwatch.kernel.streams import Alert

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address is, as far as a GeoIP database tells. `country`: ISO 3166-1 alpha-2."""

    country: str = ""
    city: str = ""
    as_number: int = 0
    as_name: str = ""


@dataclass(frozen=True, slots=True)
class Asset:
    """A host of the organisation. `owner`: a team or role, never a person's name that the case file should not hold."""

    owner: str
    name: str = ""


Locate = Callable[[str], Place | None]
"""Address as text to its place; None when nothing is known."""


class Ranges:
    """Named networks; the narrowest that holds an address names it. A look-up asks each prefix length once."""

    def __init__(self, named: Iterable[tuple[Network, str]]) -> None:
        self._by_length: dict[int, dict[int, dict[int, str]]] = {4: {}, 6: {}}
        for network, name in named:
            lengths = self._by_length[network.version]
            lengths.setdefault(network.prefixlen, {})[int(network.network_address)] = name
        self._lengths = {version: sorted(lengths, reverse=True) for version, lengths in self._by_length.items()}

    def name_of(self, address: Address) -> str:
        """The name of the narrowest network; empty when none holds the address."""
        number, bits = int(address), address.max_prefixlen
        for length in self._lengths[address.version]:
            kept = number >> (bits - length) << (bits - length)
            name = self._by_length[address.version][length].get(kept)
            if name is not None:
                return name
        return ""


@dataclass(frozen=True, slots=True)
class Enrichment:
    """Everything an operator gave. `assets`: by address or host name, lower-case."""

    ranges: Ranges = field(default_factory=lambda: Ranges(()))
    assets: Mapping[str, Asset] = field(default_factory=dict)
    locate: Locate | None = None

    def alert(self, alert: Alert) -> Alert:
        """The alert with its samples enriched."""
        return replace(alert, samples=tuple(self.sample(each) for each in alert.samples)) if alert.samples else alert

    def sample(self, sample: Mapping[str, Any]) -> dict[str, Any]:
        """A sampled OCSF event in which every object with an `ip` or `hostname` says what is known of it.

        Adds, never replaces: `zone` (the network's name), `owner.name`, `name`, `location.country`, `location.city`,
        `autonomous_system.number` and `.name`. Source: OCSF 1.8.0, object Network Endpoint.
        """
        return {key: self._value(value) for key, value in sample.items()}

    def _value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._value(each) for each in value]
        if not isinstance(value, Mapping):
            return value
        inner = {key: self._value(each) for key, each in value.items()}
        known: dict[str, Any] = {}
        for key in ("hostname", "ip"):
            if isinstance(text := inner.get(key), str):
                known.update(self._known(text, is_address=key == "ip"))
        return {**known, **inner}

    def _known(self, text: str, *, is_address: bool) -> dict[str, Any]:
        known: dict[str, Any] = {}
        asset = self.assets.get(text.lower())
        if asset is not None:
            known["owner"] = {"name": asset.owner}
            if asset.name:
                known["name"] = asset.name
        address = _address(text) if is_address else None
        if address is None:
            return known
        if name := self.ranges.name_of(address):
            known["zone"] = name
        place = self.locate(text) if self.locate is not None else None
        if place is not None:
            known.update(_placed(place))
        return known


def _placed(place: Place) -> dict[str, Any]:
    location = {key: text for key, text in (("country", place.country), ("city", place.city)) if text}
    system = {key: each for key, each in (("number", place.as_number), ("name", place.as_name)) if each}
    return {key: each for key, each in (("location", location), ("autonomous_system", system)) if each}


def _address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
