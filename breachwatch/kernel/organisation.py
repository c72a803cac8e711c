"""The controller, as settings tell it: what every filing and notice must name."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Organisation:
    """Names and contacts of the controller. Source: GDPR Art. 33(3)(b), 34(2), 4(7).

    `country` is ISO 3166-1 alpha-2, `timezone` an IANA name; deadlines are shown in it beside UTC.
    """

    name: str
    address: str
    country: str
    timezone: str
    website: str
    dpo_name: str
    dpo_email: str
    dpo_phone: str
    authority: str
    authority_url: str
    default_language: str = "en"
