"""`breachwatch member`: who may sign in to the desk."""

from datetime import timedelta
from typing import Annotated, cast

import typer

from breachwatch import wiring
from breachwatch.cli.common import DEFAULT_CONFIG, ConfigOption, JsonOption, now, out, write_json
from breachwatch.cli.root import CHECK, app
from breachwatch.kernel.facts import Role
from breachwatch.kernel.time import rfc3339
from breachwatch.settings import Settings, read_settings

member_app = typer.Typer(help="Members of the team who may sign in to the desk.", no_args_is_help=True)
app.add_typer(member_app, name="member", rich_help_panel=CHECK)


@member_app.command("add", epilog="Example: `breachwatch member add camille --role dpo`")
def member_add(
    name: Annotated[str, typer.Argument(help="Sign-in name.")],
    role: Annotated[list[str], typer.Option(help="analyst, dpo or admin; may be given more than once.")],
    display_name: Annotated[str, typer.Option(help="The name others see.")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Add a member (or change roles) and print a one-time sign-in, good for one hour."""
    wrong = [one for one in role if one not in ("analyst", "dpo", "admin")]
    if wrong:
        raise typer.BadParameter(f"no role is called {wrong[0]!r}; choose from analyst, dpo, admin")
    settings = read_settings(config)
    roles = cast("list[Role]", role)
    code = wiring.add_member(settings, name, display_name or name, frozenset(roles), now(), timedelta(hours=1))
    _print_sign_in(settings, name, code)


@member_app.command("sign-in")
def member_sign_in(name: str, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Print a new one-time sign-in for a member, good for one hour; with it they can set a new password."""
    settings = read_settings(config)
    _print_sign_in(settings, name, wiring.offer_sign_in(settings, name, now(), timedelta(hours=1)))


@member_app.command("list")
def member_list(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List the members."""
    members = wiring.open_store(read_settings(config), must_exist=True).team.members()
    if as_json:
        for one in members:
            write_json({"name": one.name, "roles": sorted(one.roles), "active": one.active})
        return
    if not members:
        out.print("No members yet: breachwatch member add NAME --role dpo")
    for one in members:
        state = "" if one.active else " (inactive)"
        out.print(f"{one.name}: {', '.join(sorted(one.roles))}{state}", highlight=False, markup=False)


def _print_sign_in(settings: Settings, name: str, code: str) -> None:
    out.print(f"Sign in once as {name}: {settings.desk.url()}/sign-in/once", highlight=False, soft_wrap=True)
    out.print(f"with the code {code} (good until {rfc3339(now() + timedelta(hours=1))})", highlight=False)
