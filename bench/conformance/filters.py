"""CrowdSec's filters, said in Sigma: what a scenario pours into its bucket, over the fields of the sources here.

A filter is an expression (`evt.Meta.http_status in ['404', '403'] && evt.Meta.http_path contains '/x'`). It becomes the
selections and the condition of a Sigma rule. A `log_type` becomes our own rule for that kind of event
(`tests/conformance/rules/thresholds/kinds.yml`); a list in a file of theirs becomes a placeholder of the same name
(`lists.yml`). What has no counterpart is refused with its reason.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

FIELDS = {
    "source_ip": "src_endpoint.ip",
    "http_path": "http_request.url.url_string",
    "request": "http_request.url.path",
    "rawrequest": "request",
    "http_args": "http_request.url.query_string",
    **dict.fromkeys(("http_verb", "verb"), "http_request.http_method"),
    "http_status": "http_response.code",
    "http_user_agent": "http_request.user_agent",
    "http_referer": "http_request.referrer",
    "target_fqdn": "http_request.url.hostname",
    **dict.fromkeys(("target_user", "username", "user", "dovecot_user"), "user.name"),
    "authentication_database": "database.name",
    "error": "status_detail",
    "event_name": "api.operation",
    "error_code": "errorCode",
    "proto": "proto",
    "suricata_rule_severity": "alert.severity",
    "suricata_alert_signature_id": "alert.signature_id",
    "ruleseverity": "modsec_severity",
    "message": "message",
    "action": "activity_name",
    "reason": "status_detail",
    "file_name": "http_request.url.path",
}
"""By the last part of a name of theirs: where the value is here."""

KINDS = frozenset({"log_type", "log_type_enh", "service", "sub_type"})
STATIC = r"\.(avif|bmp|css|eot|gif|ico|jpe?g|js|map|mp[34]|otf|png|svg|swf|ttf|txt|webm|webp|woff2?|xml)$"
_IMPLIED = {"dovecot_login_result": "auth_failed"}
_WORDS = {("action", "reject"): "rejected"}
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)|(?P<number>\d+)|(?P<name>\#|[A-Za-z_][\w.]*)"""
    r"""|(?P<mark>&&|\|\||[=!<>]=|[(){}\[\],!<>;=?:]))"""
)
_PARTS = {"contains": "contains", "startsWith": "startswith", "endsWith": "endswith"}
_FOLDS = frozenset({"Upper", "Lower"})
_DECODES = frozenset({"PathUnescape", "QueryUnescape"})
Detection = dict[str, Any]


class UnsaidError(ValueError):
    """A filter, or a part of it, has no counterpart in Sigma over these sources."""


class Filter:
    """One filter, read into `selections` and `condition`.

    Args:
        text: the expression.
        kinds: our rules' detections by the kind of event they are for.
    """

    def __init__(self, text: str, kinds: Mapping[str, Detection]) -> None:
        self.selections: Detection = {}
        self._kinds = kinds
        self._tokens = list(_tokens(text))
        self._at = 0
        self._let: dict[str, tuple[str, bool]] = {}
        while self._peek() == "let":
            self._read_let()
        self.condition = self._either()
        if self._at < len(self._tokens):
            raise UnsaidError(f"{self._peek()!r} is not understood")

    def _peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else ""

    def _take(self, expected: str = "") -> str:
        token = self._peek()
        if not token or (expected and token != expected):
            raise UnsaidError(f"{token!r} where {expected!r} belongs")
        self._at += 1
        return token

    def _read_let(self) -> None:
        self._take("let")
        name = self._take()
        self._take("=")
        self._let[name] = self._value()
        self._take(";")

    # ------------------------------------------------------------------ and, or, not

    def _either(self) -> str:
        sides = [self._both()]
        while self._peek() in {"||", "or"}:
            self._take()
            sides.append(self._both())
        return sides[0] if len(sides) == 1 else f"({' or '.join(sides)})"

    def _both(self) -> str:
        sides = [self._one()]
        while self._peek() in {"&&", "and"}:
            self._take()
            sides.append(self._one())
        sides = [each for each in sides if each] or [""]
        return sides[0] if len(sides) == 1 else f"({' and '.join(sides)})"

    def _one(self) -> str:
        if self._peek() in {"!", "not"}:
            self._take()
            return f"not {self._one()}"
        if self._peek() == "(":
            self._take()
            while self._peek() == "let":
                self._read_let()
            inner = self._either()
            self._take(")")
            return inner
        if self._peek() == "any" and self._peek(2) == "File":
            return self._any_of_file()
        if self._peek() == "RegexpInFile":
            return self._in_file()
        return self._comparison()

    # ------------------------------------------------------------------ lists in files

    def _any_of_file(self) -> str:
        for mark in ("any", "(", "File", "("):
            self._take(mark)
        name = _text(self._take())
        for mark in (")", ",", "{"):
            self._take(mark)
        field, _ = self._value()
        verb = self._take()
        depth = 1
        while depth:
            depth += {"{": 1, "}": -1}.get(self._take(), 0)
        self._take(")")
        if field.rpartition(".")[2] == "file_name" and verb == "==":
            return self._select({f"{FIELDS['file_name']}|endswith|expand": f"/%{_list(name)}%"})
        return self._select({f"{_field(field)}|{_PARTS[verb]}|expand": f"%{_list(name)}%"})

    def _in_file(self) -> str:
        self._take()
        self._take("(")
        field, _ = self._value()
        self._take(",")
        name = _text(self._take())
        self._take(")")
        return self._select({f"{_field(field)}|contains|expand": f"%{_list(name)}%"})

    # ------------------------------------------------------------------ comparisons

    def _comparison(self) -> str:
        field, decoded = self._value()
        verb = self._take()
        if verb == "in":
            return self._is(field, self._list())
        if field.endswith(("file_frag", "file_frag)")) and verb == "==":
            return self._stem(field)
        if verb in {"==", "!="}:
            told = self._literal()
            return f"not {self._is(field, [told])}" if verb == "!=" and told else self._is(field, [told], verb == "!=")
        if verb == "matches":
            return self._select({f"{_field(field)}|re|i": self._literal()})
        if verb in _PARTS:
            return self._part(field, _PARTS[verb], self._literal(), decoded=decoded)
        if verb in {">=", "<=", "<", ">"} and field == "int(http_args_len)":
            return self._length(verb, int(self._take()))
        raise UnsaidError(f"{field} {verb} has no counterpart")

    def _is(self, field: str, values: list[str], present: bool = False) -> str:
        last = field.rpartition(".")[2]
        if last in KINDS:
            return self._kind(values)
        if last == "static_ressource":
            still = self._select({f"{FIELDS['file_name']}|re|i": STATIC})
            return f"not {still}" if values == ["false"] else still
        if last == "http_args_len" or field == "int(http_args_len)":
            return self._select({f"{FIELDS['http_args']}|exists": present})
        if _IMPLIED.get(last) in values:
            return ""
        if last == "file_name":
            named = "|".join(re.escape(each) for each in values)
            return self._select({f"{FIELDS['file_name']}|re": f"(^|/)({named})$"})
        return self._select({_field(field): [_WORDS.get((last, each), each) for each in values]})

    def _part(self, field: str, part: str, value: str, *, decoded: bool) -> str:
        if field.rpartition(".")[2] == "http_status":
            return self._select({f"{_field(field)}|re": f"^{re.escape(value)}"})
        if field.rpartition(".")[2] == "reason":
            part = "contains"  # here the answer's code stands before
        if not decoded:
            return self._select({f"{_field(field)}|{part}": re.sub(r"([*?\\])", r"\\\1", value)})
        marks = {"startswith": ("^", ""), "endswith": ("", "$"), "contains": ("", "")}[part]
        return self._select({f"{_field(field)}|re|i": marks[0] + "".join(map(_encoded, value)) + marks[1]})

    def _stem(self, field: str) -> str:
        """A name without its ending, asked to have no small letters or to be so long."""
        told = self._value()[0]
        stem = f"[^/.]{{{int(told)}}}" if field.startswith("len(") else "[^/.a-z]+"
        return self._select({f"{FIELDS['file_name']}|re": rf"(^|/){stem}(\.[^/]*)?$"})

    def _length(self, verb: str, length: int) -> str:
        least, most = {">=": (length, ""), "<=": (0, length), ">": (length + 1, ""), "<": (0, length - 1)}[verb]
        return self._select({f"{FIELDS['http_args']}|re": f"^.{{{least},{most}}}$"})

    def _kind(self, values: list[str]) -> str:
        known = [each for each in values if each in self._kinds]
        if not known:
            raise UnsaidError(f"no source here has events of the kind {values[0]!r}")
        return f"({' or '.join(self._include(each) for each in known)})"

    def _include(self, kind: str) -> str:
        prefix = re.sub(r"\W", "", kind)
        detection = self._kinds[kind]
        for name, selection in detection.items():
            if name != "condition":
                self.selections[f"{prefix}_{name}"] = selection
        words = "|".join(re.escape(name) for name in detection if name != "condition")
        condition = re.sub(rf"\b({words})\b", rf"{prefix}_\1", detection["condition"])
        return f"({condition})"

    def _select(self, selection: Detection) -> str:
        name = f"part{len(self.selections)}"
        self.selections[name] = selection
        return name

    # ------------------------------------------------------------------ values

    def _value(self) -> tuple[str, bool]:
        """The name of a field, and whether its percent signs are to be decoded."""
        name = self._take()
        if name in _FOLDS | _DECODES and self._peek() == "(":
            self._take("(")
            inner, decoded = self._value()
            self._take(")")
            return inner, decoded or name in _DECODES
        if name in {"int", "len"}:
            self._take("(")
            inner, decoded = self._value()
            self._take(")")
            return f"{name}({inner.rpartition('.')[2]})", decoded
        return self._let.get(name, (name, False))

    def _literal(self) -> str:
        token = self._take()
        if token in _FOLDS:
            self._take("(")
        if token in {*_FOLDS, "("}:
            inner = self._literal()
            self._take(")")
            return inner
        if token[0] in "\"'`":
            return _text(token)
        if token.isdigit():
            return token
        raise UnsaidError(f"a comparison with {token}")

    def _list(self) -> list[str]:
        values = []
        self._take("[")
        while self._peek() != "]":
            values.append(self._literal())
            if self._peek() == ",":
                self._take()
        self._take("]")
        return values


def field_of(name: str) -> str:
    """Where what a bucket groups by or tells apart (`evt.Meta.source_ip`) is here."""
    return _field(name)


def _field(name: str) -> str:
    if name.startswith("evt.Unmarshaled.cloudtrail."):
        return name.removeprefix("evt.Unmarshaled.cloudtrail.")
    last = name.rpartition(".")[2]
    if last not in FIELDS:
        raise UnsaidError(f"{name} has no counterpart")
    return FIELDS[last]


def _encoded(char: str) -> str:
    return f"({re.escape(char)}|%{ord(char):02x})"


def _list(file: str) -> str:
    return file.partition(".")[0]


def _text(token: str) -> str:
    if token[0] == "`":
        return token[1:-1]
    return str(ast.literal_eval(token))


def _tokens(text: str) -> Iterator[str]:
    at = 0
    text = text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise UnsaidError(f"cannot read {text[at : at + 20]!r}")
        yield found.group().strip()
        at = found.end()
