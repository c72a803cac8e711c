"""Logs of mail servers, whole: Dovecot, Postfix, Exim, Sendmail, and PAM on their behalf.

Every line of a mail log is an event, and its `program` says whose; of what is not known here, `action` is `other`.
"""

import re
from datetime import tzinfo

from breachwatch.sources.event import BAD_TIME, Outcome, Parse, placed
from breachwatch.sources.formats.endpoints import put_client, unmapped
from breachwatch.sources.formats.outcomes import (
    AUTHENTICATION,
    FAILURE,
    MAX_MESSAGE_CHARACTERS,
    SUCCESS,
    Fields,
    guarded,
)
from breachwatch.sources.formats.syslog import Line, text_reader, unrepeated
from breachwatch.sources.formats.zoned import ZonedTimes
from breachwatch.sources.programs import dovecot, pam

_EXIM = re.compile(
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?)(?: ([+-]\d{4}))? (?:\[(\d{1,10})\] )?"
    r"(?:([0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}) )?(.*)",
    re.ASCII | re.DOTALL,
)
_OTHERS = re.compile(rf"(?:{dovecot.PROGRAMS.pattern}): |[^\s:=]+ [\w./-]+\[\d+\]: ", re.ASCII)
_PEER = r"(\S+?)?\[([0-9a-fA-F.:]+)\](?::(\d{1,5}))?"
_SASL = re.compile(
    rf"(?:warning: )?{_PEER}: SASL ([\w-]{{2,24}}) authentication failed:? ?(.*?)(?:, sasl_username=(.*))?",
    re.DOTALL,
)
_REJECT = re.compile(
    rf"(?:(\w+): )?(milter-reject|reject(?:_warning)?|discard|filter|hold|bounce): (\S+(?: \S+)?) from {_PEER}: (.*)",
    re.DOTALL,
)
_ENVELOPE = re.compile(r"; from=<([^<>]*)>(?: to=<([^<>]*)>)? proto=(\S+)(?: helo=<([^<>]*)>)?")
_ACCEPTED = re.compile(rf"(\w+): client={_PEER}(?:, sasl_method=([^,\s]+))?(?:, sasl_username=([^,]*))?.*", re.DOTALL)
_POSTFIX: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("disconnected", re.compile(rf"disconnect from {_PEER}(?: (.*))?")),
    ("connected", re.compile(rf"(?:connect|CONNECT) from {_PEER}(?: to .*)?")),
    ("lost", re.compile(rf"lost connection after (?:.*) from {_PEER}()", re.DOTALL)),
    ("timeout", re.compile(rf"timeout after (?:.*) from {_PEER}()", re.DOTALL)),
    ("abuse", re.compile(rf"(?:improper command pipelining|too many errors) after (?:\w+) .*?from {_PEER}(?:: (.*))?")),
    ("abuse", re.compile(rf"too many errors after \w+(?: \(.*\))? from {_PEER}()")),
    ("abuse", re.compile(rf"(?:warning: )?(?:non-SMTP command|Illegal address syntax) from {_PEER}(?: in .*|: (.*))?")),
    ("abuse", re.compile(rf"(?:PREGREET|HANGUP|BARE NEWLINE|COMMAND \w+ LIMIT)\b.* from {_PEER}.*()", re.DOTALL)),
    ("abuse", re.compile(rf"DNSBL rank \d+ for {_PEER}()")),
    (
        "tls_failed",
        re.compile(rf"(?:warning: )?(?:SSL_accept error|TLS \w+ failed) from {_PEER}(?:: (.*))?", re.DOTALL),
    ),
    ("limited", re.compile(rf"warning: (?:Connection|Message|Auth\w*) \w+ limit exceeded: .*? from {_PEER}.*()")),
)
_EXIM_AUTH = re.compile(
    r"(\S+) authenticator failed for .*?\[([0-9a-fA-F.:]+)\](?::(\d{1,5}))?(?: I=\S+)?(?: .*?)?: 535 "
    r"(.*?)(?: \(set_id=(.*)\))?",
    re.DOTALL,
)
_EXIM_PEER = re.compile(
    r"(?:.*?\s)?(?:H=|\(host=|from )(?:[^\s\[]+ )?(?:\([^()]*\) )?\[([0-9a-fA-F.:]+)\](?::(\d{1,5}))?", re.DOTALL
)
_EXIM_LOGIN = re.compile(r"<= (\S+) .*?\bA=(\w+):(\S+)", re.DOTALL)
_EXIM_ABUSE = re.compile(
    r".*\b(?:rejected |dropped|refused|synchronization error|flagged as Spam|tossed message|spam)", re.DOTALL
)
_RELAY = re.compile(r".*relay=(?:\S+ )?\[([0-9a-fA-F.:]+)\].*", re.DOTALL)
_SENDMAIL_AUTH = re.compile(r"\w+: AUTH failure \((\S+)\): (.*?)(?:, user=(.*?))?, relay=.*", re.DOTALL)
_SENDMAIL_ATTACK = re.compile(r"\w+: (?:\S+ )?\[([0-9a-fA-F.:]+)\].*: possible SMTP attack: command=AUTH.*", re.DOTALL)


def parser(zone: tzinfo) -> Parse:
    """A parser of mail servers' logs; times without an offset are of `zone`."""
    line_of = text_reader(zone)
    times = ZonedTimes(zone)

    def read(text: str, received_us: int) -> Outcome:
        if (found := _EXIM.fullmatch(text)) and not _OTHERS.match(found[5]):
            at_us = times.read(found[1], found[2], received_us)
            return BAD_TIME if at_us is None else placed(at_us, received_us, _of_exim(found))
        line = line_of(text, received_us)
        return placed(line.at_us, received_us, _fields(line)) if isinstance(line, Line) else line

    return guarded(read)


def _of_exim(found: re.Match[str]) -> Fields:
    fields: Fields = {"program": "exim", "message": found[5]}
    if found[3]:
        fields["pid"] = int(found[3])
    if found[4]:
        fields["message_id"] = found[4]
    if len(found[5]) > MAX_MESSAGE_CHARACTERS:
        fields["action"] = "other"
    else:
        _exim(found[5], fields)
    return fields


def _is_dovecot(line: Line) -> bool:
    return dovecot.PROGRAMS.fullmatch(line.program) is not None


def _fields(line: Line) -> Fields:
    _, host, program, pid, message = line
    fields: Fields = {"program": program.partition("(")[0], "message": message}
    if host is not None:
        fields["host"] = host
    if pid is not None:
        fields["pid"] = pid
    if len(message) > MAX_MESSAGE_CHARACTERS:
        fields["action"] = "other"
        return fields
    message, repeated = unrepeated(message)
    if repeated is not None:
        fields["repeated"] = repeated
    if pam.understand(message, fields):
        if "status" in fields:
            fields |= AUTHENTICATION
    elif _is_dovecot(line):
        dovecot.understand(program, message, fields)
    elif program.startswith("exim"):
        found = _EXIM.fullmatch(message)
        _exim(found[5] if found else message, fields)
    elif not (_postfix(message, fields) or _sendmail(message, fields)):
        fields["action"] = "other"
    return fields


def _peer(fields: Fields, name: str | None, address: str, port: str | None) -> None:
    put_client(fields, (unmapped(address), int(port) if port else None))
    if name and name != "unknown":
        fields["src_host"] = name


def _failed(fields: Fields, method: str, user: str | None, detail: str) -> None:
    fields |= AUTHENTICATION | FAILURE
    fields["action"], fields["auth_method"] = "auth_failed", method
    if user:
        fields["user"] = user
    if detail:
        fields["detail"] = detail


def _postfix(message: str, fields: Fields) -> bool:
    if found := _SASL.fullmatch(message):
        _peer(fields, found[1], found[2], found[3])
        _failed(fields, found[4], found[6], found[5])
        return True
    if found := _REJECT.fullmatch(message):
        fields["action"], fields["stage"] = "rejected", found[3]
        _peer(fields, found[4], found[5], found[6])
        fields["detail"] = found[7]
        if ended := _ENVELOPE.fullmatch(found[7], max(found[7].rfind("; from=<"), 0)):
            fields["detail"] = found[7][: ended.start()]
            for name, value in (("from", ended[1]), ("to", ended[2]), ("helo", ended[4])):
                if value:
                    fields[name] = value
        return True
    for action, pattern in _POSTFIX:
        if found := pattern.fullmatch(message):
            fields["action"] = action
            _peer(fields, found[1], found[2], found[3])
            if found[4]:
                fields["detail"] = found[4]
            return True
    if found := _ACCEPTED.fullmatch(message):
        fields["action"], fields["message_id"] = "accepted", found[1]
        _peer(fields, found[2], found[3], found[4])
        if found[6]:
            fields |= AUTHENTICATION | SUCCESS
            fields["user"], fields["auth_method"], fields["action"] = found[6], found[5] or "", "login"
        return True
    return False


def _exim(message: str, fields: Fields) -> None:
    if found := _EXIM_AUTH.fullmatch(message):
        _peer(fields, None, found[2], found[3])
        _failed(fields, found[1], found[5], found[4])
        return
    peer = _EXIM_PEER.match(message)
    if peer is not None:
        _peer(fields, None, peer[1], peer[2])
    if _EXIM_ABUSE.match(message):
        fields["action"] = "rejected"
    elif login := _EXIM_LOGIN.match(message):
        fields |= AUTHENTICATION | SUCCESS
        fields["action"], fields["from"], fields["auth_method"], fields["user"] = "login", login[1], login[2], login[3]
    else:
        fields["action"] = "other"


def _sendmail(message: str, fields: Fields) -> bool:
    if found := _SENDMAIL_AUTH.fullmatch(message):
        relay = _RELAY.fullmatch(message)
        if relay is not None:
            _peer(fields, None, relay[1], None)
        _failed(fields, found[1], found[3], found[2])
    elif found := _SENDMAIL_ATTACK.fullmatch(message):
        _peer(fields, None, found[1], None)
        _failed(fields, "", None, "many attempts")
    else:
        return False
    return True
