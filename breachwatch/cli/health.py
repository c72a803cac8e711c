"""`breachwatch health`: whether a process of this machine can do its work, for probes that have no curl."""

from typing import Annotated

import typer

from breachwatch.cli.common import DEFAULT_CONFIG, ConfigOption, JsonOption, out, write_json
from breachwatch.cli.root import CHECK, app
from breachwatch.kernel.errors import ContentError, Problem, UnavailableError
from breachwatch.settings import Role, read_settings
from breachwatch.settings.observe import MOST_OF_A_ROLE
from breachwatch.wiring.asking import ask_health

NumberOption = Annotated[
    int | None,
    typer.Option(
        min=0, max=MOST_OF_A_ROLE - 1, help="Which of several processes of the role here.", show_default=False
    ),
]


@app.command(
    rich_help_panel=CHECK, epilog="Example: `breachwatch health` · `breachwatch health --role worker --number 1`"
)
def health(
    config: ConfigOption = DEFAULT_CONFIG,
    role: Annotated[Role, typer.Option(help="Whom to ask.")] = "up",
    number: NumberOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a process of this machine whether it can work: exit code 0 if so, else 1, with the parts that cannot."""
    settings = read_settings(config)
    if number is not None:
        observing = settings.observe.model_copy(update={"number": number})
        settings = settings.model_copy(update={"observe": observing})
    if settings.observe.port == 0 and not settings.state_dir.is_dir():
        raise ContentError([Problem("observe", 0, 0, "with port 0 nobody can be found", "choose a port")])
    try:
        found = ask_health(settings, role)
    except UnavailableError as error:
        if as_json:
            write_json({"ready": False, "role": role, "parts": {"process": str(error)}})
            raise typer.Exit(1) from error
        raise
    if as_json:
        write_json({"ready": found.ready, "role": found.role, "parts": found.parts})
    else:
        wrong = [f"{part}: {why}" for part, why in found.parts.items() if why != "ready"]
        out.print("ready" if found.ready else "not ready: " + "; ".join(wrong), highlight=False, markup=False)
    if not found.ready:
        raise typer.Exit(1)
