"""What every notice says whether its author thought of it or not: how to check it, and where to complain.

A mail about a breach is what a fraudster would send, so it must give a way to check it that does not lead through the
mail itself. Source: GDPR Art. 34(2) with 33(3)(b), 77(1); EDPB Guidelines 9/2022, section III.C.
"""

from collections.abc import Mapping

_VERIFY = {
    "en": (
        "## How to check that this message is real {#verify}\n\n"
        "Do not answer this message and do not follow links in it if you are in doubt. Type the address of our website "
        "yourself, {website}, or ask our data protection contact: {dpo_name}, {dpo_email}, {dpo_phone}. "
        "Quote the reference {incident_reference}. We will never ask you for a password or a payment."
    ),
    "fr": (
        "## Comment vérifier que ce message est authentique {#verify}\n\n"
        "En cas de doute, ne répondez pas à ce message et n'en suivez pas les liens. Saisissez vous-même l'adresse de "
        "notre site, {website}, ou interrogez notre contact pour la protection des données : {dpo_name}, {dpo_email}, "
        "{dpo_phone}. Indiquez la référence {incident_reference}. Nous ne vous demanderons jamais de mot de passe ni "
        "de paiement."
    ),
}
_COMPLAINT = {
    "en": (
        "## Your right to complain {#complaint}\n\n"
        "You may lodge a complaint with the supervisory authority: {authority}, {authority_url}."
    ),
    "fr": (
        "## Votre droit de réclamation {#complaint}\n\n"
        "Vous pouvez introduire une réclamation auprès de l'autorité de contrôle : {authority}, {authority_url}."
    ),
}


def with_closing(markdown: str, language: str, values: Mapping[str, str]) -> str:
    """The text with what it lacks of both; a text that names website, contact and authority itself stays as it is.

    Args:
        markdown: the text, placeholders open or not.
        language: `fr`, or English for every language without words of its own here.
        values: the placeholders' values, to know the names in a text that wrote them out.
    """

    def names(*placeholders: str) -> bool:
        return all(f"{{{name}}}" in markdown or values.get(name, "\0") in markdown for name in placeholders)

    parts = [markdown.rstrip()]
    if not (names("website") and (names("dpo_email") or names("dpo_phone"))):
        parts.append(_VERIFY.get(language, _VERIFY["en"]))
    if not names("authority", "authority_url"):
        parts.append(_COMPLAINT.get(language, _COMPLAINT["en"]))
    return "\n\n".join(parts) + "\n"
