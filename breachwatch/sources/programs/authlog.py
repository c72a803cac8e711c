"""The authentication log of a Linux or BSD system, whole: sshd, dropbear, PAM, sudo, su, login and the account tools.

Every syslog line is an event, and its `program` says whose; of what programs say that are not known here, `action` is
`other` and `message` is all there is. sshd's lines are read as the source `linux-sshd` reads them.
"""

from collections.abc import Callable
from datetime import tzinfo

from breachwatch.sources.event import Outcome, Parse, placed
from breachwatch.sources.formats.outcomes import MAX_MESSAGE_CHARACTERS, Fields, guarded
from breachwatch.sources.formats.syslog import Line, text_reader, unrepeated
from breachwatch.sources.programs import dropbear, pam, privileges, sshd

DERIVED = sshd.DERIVED | {"failures", "uid", "euid"}
"""Fields whose text need not stand in the line."""


def parser(zone: tzinfo) -> Parse:
    """A parser of the authentication log; times without an offset are of `zone`."""
    return _parser(zone, _fields)


def glance(zone: tzinfo) -> Parse:
    """As `parser`, but its events have no fields: what is said is not looked into."""
    return _parser(zone, lambda _line: {})


def _parser(zone: tzinfo, look: Callable[[Line], Fields]) -> Parse:
    line_of = text_reader(zone)

    def read(text: str, received_us: int) -> Outcome:
        line = line_of(text, received_us)
        if not isinstance(line, Line):
            return line
        return placed(line.at_us, received_us, look(line))

    return guarded(read)


def _fields(line: Line) -> Fields:
    program = line.program
    if program in sshd.PROGRAMS or program == "sshd(pam_unix)":
        return sshd.fields_of(line)
    _, host, _, pid, message = line
    fields: Fields = {"program": program, "message": message}
    if host is not None:
        fields["host"] = host
    if pid is not None:
        fields["pid"] = pid
    if len(message) > MAX_MESSAGE_CHARACTERS:
        fields["action"] = "other"
        return fields
    if program.endswith(")") and (at := program.find("(pam_")) > 0:  # before 2006, PAM put itself there
        fields["program"], message = program[:at], f"{program[at + 1 : -1]}: {message}"
    message, repeated = unrepeated(message)
    if repeated is not None:
        fields["repeated"] = repeated
    if not _understood(fields["program"], message, fields):
        fields["action"] = "other"
    return fields


def _understood(program: str, message: str, fields: Fields) -> bool:
    if pam.understand(message.removeprefix("error: "), fields):
        return True
    if program == "dropbear":
        return dropbear.understand(message, fields)
    understand = privileges.UNDERSTAND.get(program)
    return understand is not None and understand(message, fields)
