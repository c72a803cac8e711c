"""Every way in, who may take it, and what every answer carries."""

import re

import httpx
import pytest
from starlette.routing import Route

from breachwatch.console.access import Access
from breachwatch.kernel.facts import Role

ROLES: tuple[Role, ...] = ("analyst", "dpo", "admin")
SIGN_IN = {"analyst": "ines", "dpo": "camille", "admin": "robin"}


def every_route(app) -> list[tuple[str, str]]:
    """(method, path template), from the router itself and not from the table."""
    found = []
    for route in app.routes:
        assert isinstance(route, Route), "mounts and sockets would escape the table"
        found += [(method, route.path) for method in route.methods if method != "HEAD"]
    return found


def concrete(path: str, house) -> str:
    values = {"id": house.incident, "source": "app-audit", "name": "desk.css"}
    if path.startswith("/alerts/"):
        values["id"] = "al-tried"
    return re.sub(r"\{(\w+)\}", lambda found: values[found[1]], path)


async def call(browser, method: str, path: str, **fields: str) -> httpx.Response:
    if method == "GET":
        return await browser.http.get(path)
    return await browser.http.post(path, data=fields)


def test_every_route_says_who_may_call_it(house) -> None:
    assert set(every_route(house.app)) == set(house.app.state.access)


def test_only_the_way_in_is_open(house) -> None:
    public = {route for route, access in house.app.state.access.items() if access == "public"}
    assert public == {
        ("GET", "/healthz"),
        ("GET", "/static/{name}"),
        ("GET", "/sign-in"),
        ("POST", "/sign-in"),
        ("GET", "/sign-in/once"),
        ("POST", "/sign-in/once"),
    }
    assert [route for route, access in house.app.state.access.items() if access == "token"] == [
        ("POST", "/ingest/{source}")
    ]


def test_what_has_legal_weight_is_for_the_dpo_alone(house) -> None:
    only_dpo = {path for (_, path), access in house.app.state.access.items() if access == frozenset({"dpo"})}
    assert only_dpo == {
        "/incidents/{id}/awareness",
        "/incidents/{id}/close",
        "/incidents/{id}/decision",
        "/incidents/{id}/filing/approve",
        "/incidents/{id}/filing/submission",
        "/incidents/{id}/notices/approve",
        "/register",
        "/register.csv",
        "/register.json",
    }


async def test_without_a_session_no_page_opens(house, visitor) -> None:
    for (method, path), access in house.app.state.access.items():
        if not isinstance(access, frozenset):
            continue
        answer = await call(visitor, method, concrete(path, house))
        if path.startswith("/api/"):
            assert answer.status_code == 401, path
        else:
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/sign-in"), path


@pytest.mark.parametrize("role", ROLES)
async def test_every_route_opens_to_its_roles_and_to_no_other(house, role: Role) -> None:
    browser = await house.browser().sign_in(SIGN_IN[role])
    before = house.seq
    refused, let_in = 0, 0
    for (method, path), access in house.app.state.access.items():
        if not isinstance(access, frozenset) or path in ("/sign-out", "/password"):
            continue
        answer = await call(browser, method, concrete(path, house), csrf=browser.csrf)
        if role in access:
            let_in += 1
            assert answer.status_code not in (401, 403), (method, path, role)
        else:
            refused += 1
            assert answer.status_code == 403, (method, path, role)
    assert refused + let_in > 30
    if role == "admin":
        assert house.seq == before, "an administrator moved a case"


async def test_every_post_without_its_token_changes_nothing(house, dpo) -> None:
    before = house.seq
    for (method, path), access in house.app.state.access.items():
        if method != "POST" or not isinstance(access, frozenset) or "dpo" not in access:
            continue
        for token in ("", "made-up", "x" * 60):
            answer = await dpo.http.post(concrete(path, house), data={"csrf": token, "seq": str(before)})
            assert answer.status_code == 403, path
    assert house.seq == before


async def test_a_session_of_one_does_not_serve_the_forms_of_another(house, dpo, analyst) -> None:
    answer = await dpo.http.post(
        f"/incidents/{house.incident}/notes", data={"csrf": analyst.csrf, "seq": "1", "text": "x"}
    )
    assert answer.status_code == 403


async def test_a_form_that_another_site_sends_is_refused_even_with_the_token(house, dpo) -> None:
    fields = {"csrf": dpo.csrf, "seq": str(house.seq), "text": "forged"}
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
        answer = await dpo.http.post(f"/incidents/{house.incident}/notes", data=fields, headers=headers)
        assert answer.status_code == 403, headers


async def test_every_answer_carries_the_headers(house, dpo) -> None:
    for path in ("/", "/sign-in", f"/incidents/{house.incident}", "/nowhere", "/api/alerts", "/static/desk.css"):
        headers = (await dpo.http.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert "strict-transport-security" not in headers
        if not path.startswith("/static"):
            assert headers["cache-control"] == "no-store", path


async def test_over_tls_it_says_so_and_ties_the_cookie_to_the_host(house) -> None:
    from dataclasses import replace

    from breachwatch.console.app import create_app

    house.app = create_app(replace(house.parts, secure_cookies=True))
    browser = house.browser()
    answer = await browser.http.get("https://localhost:8420/sign-in")
    assert "max-age" in answer.headers["strict-transport-security"]
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-breachwatch-door=")
    assert "Secure" in cookie
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()


async def test_another_host_name_is_not_answered(house, visitor) -> None:
    answer = await visitor.http.get("/sign-in", headers={"host": "evil.example"})
    assert answer.status_code == 400
    assert "sign" not in answer.text.lower()


@pytest.mark.parametrize("host", ["localhost:8420", "127.0.0.1:9000", "[::1]:8420"])
async def test_the_allowed_hosts_are_answered_on_any_port(visitor, host: str) -> None:
    assert (await visitor.http.get("/healthz", headers={"host": host})).status_code == 200


async def test_static_files_are_kept_by_their_digest_and_nothing_else_is_served(house, visitor) -> None:
    page = await visitor.get("/sign-in")
    address = re.search(r'href="(/static/desk\.css\?v=[0-9a-f]+)"', page.text)
    assert address
    answer = await visitor.http.get(address[1])
    assert "immutable" in answer.headers["cache-control"]
    for name in ("app.py", "..%2fapp.py", "base.html", "%2e%2e"):
        assert (await visitor.http.get(f"/static/{name}")).status_code == 404


def test_the_table_knows_three_kinds_of_access(house) -> None:
    access: Access
    for access in house.app.state.access.values():
        assert access in ("public", "token") or (isinstance(access, frozenset) and access <= set(ROLES) and access)
