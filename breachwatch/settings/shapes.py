"""What the sections share: a shape that takes no unknown key, zones, ports, and this machine's own names."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from breachwatch.sources.definition import known_zone

Zone = Annotated[str, AfterValidator(known_zone)]
Port = Annotated[int, Field(ge=0, le=65535)]
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Section(BaseModel):
    """A table of the file; a key that it does not know is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)
