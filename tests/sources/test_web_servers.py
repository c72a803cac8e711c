"""Web servers' own words: nginx and Apache of what went wrong, HAProxy, Caddy, Traefik and IIS of every request."""

from collections.abc import Callable
from typing import Any

import pytest

from breachwatch.sources.event import Dead, Ignored, Outcome
from breachwatch.sources.source import Source

Fields = Callable[..., dict[str, Any]]
HEAD = "2026/03/27 13:06:56 [error] 71#0: *5 "
TAIL = ', client: 192.0.2.7, server: shop.example, request: "GET /a?b=c HTTP/1.1", host: "shop.example"'


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('user "ana": password mismatch', {"action": "auth_failed", "cs-username": "ana", "status": "Failure"}),
        ('user "a b" was not found in "/etc/htpasswd"', {"action": "auth_failed", "cs-username": "a b"}),
        ("PAM: user 'ana' - not authenticated: Authentication failure", {"cs-username": "ana", "status": "Failure"}),
        ("no user/password was provided for basic authentication", {"action": "no_credentials"}),
        ("access forbidden by rule", {"action": "denied"}),
        ('limiting requests, excess: 1.8 by zone "one"', {"action": "limited"}),
        ('open() "/srv/x" failed (2: No such file or directory)', {"action": "not_found"}),
        ("connect() failed (111: Connection refused) while connecting to upstream", {"action": "upstream_failed"}),
        ("something new", {"action": "other"}),
    ],
)
def test_nginx_errors_say_what_went_wrong_and_for_whom(fields: Fields, message: str, expected: dict[str, Any]) -> None:
    found = fields("nginx", HEAD + message + TAIL)
    assert found.items() >= (expected | {"c-ip": "192.0.2.7", "cs-uri": "/a?b=c", "cs-method": "GET"}).items()
    assert (found["message"], found["log"], found["connection"]) == (message, "error", 5)


def test_a_user_name_written_like_nginx_words_moves_no_address(fields: Fields) -> None:
    name = 'x": password mismatch, client: 198.51.100.9, server: s, request: "GET / HTTP/1.1", host: "h"'
    found = fields("nginx", f'{HEAD}user "{name}": was not found in "/etc/htpasswd"{TAIL}')
    assert (found["c-ip"], found["cs-username"]) == ("192.0.2.7", name)


def test_nginx_is_read_through_syslog_and_the_journal(fields: Fields) -> None:
    inner = f"{HEAD}access forbidden by rule{TAIL}"
    for carrier in (
        "<171>1 2026-03-27T13:06:56Z web nginx - - - ",
        "Mar 27 13:06:56 web nginx[71]: ",
        "web nginx[7]: ",
    ):
        assert fields("nginx", carrier + inner)["action"] == "denied"
    assert fields("nginx", "Mar 27 13:06:56 web nginx: " + inner)["host"] == "web"


def test_nginx_as_a_mail_proxy_tells_logins(fields: Fields) -> None:
    tail = ', client: 192.0.2.7 using starttls, server: 0.0.0.0:587, login: "ana@example.com", upstream: 192.0.2.1:25'
    assert fields("nginx", f"{HEAD}client logged in{tail}")["status"] == "Success"
    failed = fields("nginx", f'{HEAD}client login failed: "AUTH not supported" while in http auth state{tail}')
    assert (failed["status"], failed["cs-username"]) == ("Failure", "ana@example.com")


APACHE = "[Fri Mar 27 13:06:56.123456 2026] [auth_basic:error] [pid 10:tid 140] [client 192.0.2.7:50229] "


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("AH01618: user ana not found: /a", {"action": "auth_failed", "cs-username": "ana", "detail": "unknown user"}),
        (
            'AH01617: user ana: authentication failure for "/a": Password Mismatch',
            {"action": "auth_failed", "detail": "wrong password", "path": "/a", "error_code": "AH01617"},
        ),
        (
            'AH01631: user ana: authorization failure for "/a": ',
            {"action": "auth_failed", "detail": "not authorised", "cs-username": "ana"},
        ),
        ("AH01790: user `ana' in realm `r' not found: /a", {"action": "auth_failed", "cs-username": "ana"}),
        ("AH01776: invalid nonce x received - hash is not y", {"action": "stale_nonce"}),  # after a restart: no guess
        ("AH01630: client denied by server configuration: /srv/a", {"action": "denied", "path": "/srv/a"}),
        ("AH00126: Invalid URI in request GET /../x HTTP/1.1", {"action": "bad_request"}),
        ("AH02811: script not found or unable to stat: /srv/x.pl", {"action": "script_not_found"}),
        ("File does not exist: /srv/x.php", {"action": "script_not_found"}),
        ("File does not exist: /srv/[client 198.51.100.9] user root not found", {"action": "not_found"}),
        ("AH01215: /bin/bash: warning: X: ignoring function definition attempt", {"action": "shellshock"}),
    ],
)
def test_apache_errors_are_known_by_their_beginning(fields: Fields, message: str, expected: dict[str, Any]) -> None:
    found = fields("apache", APACHE + message)
    assert found.items() >= (expected | {"c-ip": "192.0.2.7", "src_port": 50229, "pid": 10}).items()
    assert ("status" in found) == (found["action"] == "auth_failed")


def test_apache_22_has_no_ports_and_24_has_one_even_behind_ipv6(fields: Fields) -> None:
    old = fields("apache", "[Fri Mar 27 13:06:56 2026] [error] [client 2001:db8::80:1] File does not exist: /x")
    new = fields("apache", "[Fri Mar 27 13:06:56 2026] [core:error] [pid 2] [client 2001:db8::7:50229] AH1: x")
    assert (old["c-ip"], "src_port" in old) == ("2001:db8::80:1", False)
    assert (new["c-ip"], new["src_port"]) == ("2001:db8::7", 50229)


def test_modsecurity_tells_rule_and_request(fields: Fields) -> None:
    found = fields(
        "apache",
        APACHE + "[client 192.0.2.7] ModSecurity: Access denied with code 403 (phase 2). Pattern match at ARGS. "
        '[id "930100"] [msg "Path \\"x\\""] [severity "CRITICAL"] [tag "a"] [tag "b"] [hostname "s"] [uri "/a?b"]',
    )
    assert (found["action"], found["sc-status"], found["modsec_id"]) == ("modsec_denied", 403, "930100")
    assert (found["modsec_tags"], found["cs-uri"], found["cs-host"]) == (["a", "b"], "/a?b", "s")


def test_access_and_error_lines_may_come_as_one_stream(parse: Callable[..., Outcome], fields: Fields) -> None:
    access = '192.0.2.7 - - [27/Mar/2026:13:06:56 +0000] "GET / HTTP/1.1" 200 5'
    for name in ("nginx", "apache"):
        assert fields(name, access)["log"] == "access"
        assert isinstance(parse(name, "[error] [client 192.0.2.7] no time"), Dead)


def test_error_events_are_authentication_only_where_somebody_tried(source: Callable[..., Source], parse: Any) -> None:
    nginx = source("nginx")
    tried = nginx.to_ocsf(parse("nginx", f'{HEAD}user "ana": password mismatch{TAIL}'))
    denied = nginx.to_ocsf(parse("nginx", f"{HEAD}access forbidden by rule{TAIL}"))
    assert (tried["class_uid"], tried["user"], tried["src_endpoint"]) == (3002, {"name": "ana"}, {"ip": "192.0.2.7"})
    assert (denied["class_uid"], denied["http_request"]["url"]["path"]) == (4002, "/a")


def test_haproxy_tells_request_route_and_end(
    fields: Fields, parse: Callable[..., Outcome], at: Callable[..., str]
) -> None:
    line = (
        "192.0.2.7:4711 [27/Mar/2026:13:06:56.128] web~ shop/s1 0/0/0/126/126 401 2060 - - PR-- 1/1/0/0/0 0/0 "
        '{shop.example|curl} {} "GET /a?b HTTP/1.1"'
    )
    found = fields("haproxy", f"Mar 27 13:06:57 lb haproxy[1]: {line}")
    assert (found["c-ip"], found["sc-status"], found["cs-uri-query"]) == ("192.0.2.7", 401, "b")
    assert (found["frontend"], found["tls"], found["backend"], found["server"]) == ("web", True, "shop", "s1")
    assert at("haproxy", line) == "2026-03-27T13:06:56.128000Z"
    tcp = fields("haproxy", "[2001:db8::7]:4711 [27/Mar/2026:13:06:56.1] f b/s 0/0/7 212 -- 0/0/0/0/3 0/0")
    assert (tcp["c-ip"], tcp["log"], tcp["sc-bytes"]) == ("2001:db8::7", "tcp", 212)
    broken = fields("haproxy", "192.0.2.7:1 [27/Mar/2026:13:06:56.1] web/1: SSL handshake failure")
    assert (broken["action"], broken["frontend"]) == ("tls_failed", "web")
    assert parse("haproxy", "Mar 27 13:06:57 lb haproxy[1]: Proxy web started.") == Ignored("not traffic")


def test_caddy_and_traefik_have_the_names_of_all_web_servers(fields: Fields, parse: Callable[..., Outcome]) -> None:
    caddy = fields(
        "caddy",
        '{"level":"info","ts":1774616816.75,"msg":"handled request","request":{"remote_ip":"198.51.100.1","client_ip":'
        '"192.0.2.7","method":"GET","uri":"/a?b","host":"shop.example","proto":"HTTP/2.0","headers":{"User-Agent":'
        '["curl"]}},"user_id":"ana","size":5,"status":200}',
    )
    traefik = fields(
        "traefik",
        '{"ClientHost":"192.0.2.7","ClientUsername":"ana","DownstreamStatus":200,"DownstreamContentSize":5,'
        '"RequestMethod":"GET","RequestPath":"/a?b","RequestProtocol":"HTTP/2.0","RequestHost":"shop.example",'
        '"StartUTC":"2026-03-27T13:06:56.75Z","request_User-Agent":"curl"}',
    )
    shared = ("c-ip", "cs-method", "cs-uri", "cs-uri-stem", "cs-uri-query", "cs-host", "cs-username", "sc-status")
    assert [caddy[name] for name in shared] == [traefik[name] for name in shared]
    assert caddy["peer_ip"] == "198.51.100.1"
    for name in ("caddy", "traefik"):
        assert parse(name, '{"level":"info","ts":1774616816,"msg":"started"}') == Ignored("not an access log line")
    common = '192.0.2.7 - ana [27/Mar/2026:13:06:56 +0000] "GET /a HTTP/2.0" 401 17 "-" "curl" 72 "web@docker" "u" 4ms'
    assert fields("traefik", common)["router"] == "web@docker"


def test_iis_reads_by_the_newest_layout_that_fits(source: Callable[..., Source]) -> None:
    iis = source("iis").parse  # the first records: nobody has told the columns
    usual = b"2026-03-27 13:06:56 192.0.2.1 GET /a b=c 443 - 192.0.2.7 Mozilla/5.0+(X11) - 200 0 0 15"
    found = iis(usual, 1_774_700_000_000_000)
    assert found.fields["c-ip"] == "192.0.2.7"  # type: ignore[union-attr]
    assert found.fields["cs-user-agent"] == "Mozilla/5.0 (X11)"  # type: ignore[union-attr]
    short = b"2026-03-27 13:06:56 192.0.2.7 GET /a 200"
    assert iis(short, 1_774_700_000_000_000) == Dead("no layout of columns fits")
    assert iis(b"#Fields: date time c-ip cs-method cs-uri-stem sc-status", 0) == Ignored("directive")
    assert iis(short, 1_774_700_000_000_000).fields["sc-status"] == 200  # type: ignore[union-attr]
    assert iis(usual, 1_774_700_000_000_000) == found  # another file's records are still read


def test_iis_as_a_windows_event_is_the_same_entry(fields: Fields) -> None:
    pairs = {"date": "2026-03-27", "time": "13:06:56", "c-ip": "192.0.2.7", "cs-method": "GET", "cs-uri-stem": "/a"}
    more = {"cs-uri-query": "b&amp;c", "sc-status": "400", "csUser-Agent": "curl"}
    data = "".join(f'<Data Name="{name}">{value}</Data>' for name, value in (pairs | more).items())
    found = fields("iis", f"<Event><System><Computer>web</Computer></System><EventData>{data}</EventData></Event>")
    assert (found["cs-uri"], found["sc-status"], found["computer"]) == ("/a?b&c", 400, "web")


@pytest.mark.parametrize(
    "line",
    [
        '192.0.2.7 - - [1/Mar/2026:13:06:56 +0000] "GET / HTTP/1.1" 403 181 "-" "Googlebot/1',  # cut off
        '192.0.2.7 - - - [01/Mar/2026:13:06:56 ] shop.example "GET / HTTP/1.1" 403 181 "-" "curl"',
        'Mar  1 13:06:56 web nginx: 192.0.2.7 - - [01/Mar/2026:13:06:56 +0000] "GET / HTTP/1.1" 403 181 "-" "curl"',
        '<13>1 2026-03-01T13:06:56Z web nginx - - - 192.0.2.7 - - [01/Mar/2026:13:06:56 +0000] "GET / HTTP/1.1" 403 1',
    ],
)
def test_access_lines_cut_off_or_carried_are_read(fields: Fields, line: str) -> None:
    found = fields("web-access", line)
    assert (found["c-ip"], found["sc-status"]) == ("192.0.2.7", 403)


def test_nginx_proxy_managers_lines_are_access_lines(fields: Fields) -> None:
    line = '[27/Mar/2026:13:06:56 +0000] - 404 404 - GET https shop.example "/a?b" [Client 192.0.2.7] [Length 548]'
    for tail in (' [Gzip -] [Sent-to 192.0.2.1] "curl" "-"', ' [Gzip -] "curl" "-"'):
        found = fields("nginx", line + tail)
        assert (found["c-ip"], found["cs-host"], found["cs-uri"]) == ("192.0.2.7", "shop.example", "/a?b")
        assert (found["sc-status"], found["sc-bytes"], found["cs-user-agent"]) == (404, 548, "curl")
