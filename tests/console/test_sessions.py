"""The door: who gets in, who has to wait, and what a session is worth afterwards."""

from datetime import timedelta

import pytest

from breachwatch.console.passwords import token_hash
from breachwatch.console.sessions import CLIENT_FAILURES, IDLE, MEMBER_FAILURES, WINDOW

COOKIE = "breachwatch"


async def attempt(browser, name: str, password: str):
    await browser.get("/sign-in")
    return await browser.submit("sign-in-form", name=name, password=password, follow=False)


async def test_a_member_signs_in_and_lands_in_the_inbox(house, visitor) -> None:
    await visitor.sign_in("camille")
    assert visitor.page.url.path == "/"
    assert "Inbox" in visitor.page.text
    assert "Camille Roux" in visitor.page.text


async def test_an_administrator_has_no_inbox_and_lands_on_the_status_page(admin) -> None:
    assert admin.page.url.path == "/status"


async def test_the_answer_does_not_tell_a_wrong_name_from_a_wrong_password(house, visitor) -> None:
    known = await attempt(visitor, "camille", "not the password")
    unknown = await attempt(visitor, "nobody", "not the password")
    assert known.status_code == unknown.status_code == 403
    assert "do not fit together" in known.text
    assert "do not fit together" in unknown.text


async def test_the_cookie_is_for_http_only_and_for_this_site_only(house, visitor) -> None:
    answer = await attempt(visitor, "camille", house.password)
    cookie = next(one for one in answer.headers.get_list("set-cookie") if one.startswith(f"{COOKIE}="))
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert "Path=/" in cookie


async def test_only_the_hash_of_a_token_opens_a_session_row(house, dpo) -> None:
    token = dpo.http.cookies[COOKIE]
    assert house.store.team.session(token_hash(token), house.clock()) is not None
    assert house.store.team.session(token, house.clock()) is None


async def test_a_session_planted_before_sign_in_is_not_the_one_after(house, visitor) -> None:
    planted = "p.1774600000.planted-by-an-attacker"
    visitor.http.cookies.set(COOKIE, planted, domain="localhost.local")
    await visitor.sign_in("camille")
    tokens = [cookie.value for cookie in visitor.http.cookies.jar if cookie.name == COOKIE]
    assert any(token != planted for token in tokens)
    assert house.store.team.session(token_hash(planted), house.clock()) is None


async def test_signing_in_again_ends_the_session_before(house, dpo) -> None:
    first = dpo.http.cookies[COOKIE]
    code = house.one_time_code("camille")
    await dpo.get("/sign-in/once")
    await dpo.submit("sign-in-once-form", code=code)
    assert dpo.http.cookies[COOKIE] != first
    assert house.store.team.session(token_hash(first), house.clock()) is None


async def test_the_sign_in_form_cannot_be_sent_by_another_site(house, visitor) -> None:
    await visitor.get("/sign-in")
    fields = {"name": "camille", "password": house.password}
    for csrf in ("", "made-up"):
        assert (await visitor.http.post("/sign-in", data={**fields, "csrf": csrf})).status_code == 403
    visitor.http.cookies.clear()
    assert (await visitor.submit("sign-in-form", follow=False, **fields)).status_code == 403


async def test_after_many_failures_a_member_waits_even_with_the_right_password(house, visitor) -> None:
    for _ in range(MEMBER_FAILURES):
        assert (await attempt(visitor, "camille", "wrong password!")).status_code == 403
    answer = await attempt(visitor, "camille", house.password)
    assert answer.status_code == 429
    assert answer.headers["retry-after"]
    assert (await attempt(visitor, "Camille", house.password)).status_code == 429, "capitals are no way around"
    house.clock.forward(WINDOW + timedelta(seconds=1))
    assert (await attempt(visitor, "camille", house.password)).status_code == 303


async def test_a_throttled_member_can_still_come_in_with_a_one_time_code(house, visitor) -> None:
    for _ in range(MEMBER_FAILURES):
        await attempt(visitor, "camille", "wrong password!")
    await visitor.get("/sign-in/once")
    answer = await visitor.submit("sign-in-once-form", code=house.one_time_code("camille"))
    assert answer.url.path == "/password"


async def test_a_client_that_tries_many_names_waits_too(house, visitor) -> None:
    for number in range(CLIENT_FAILURES):
        await attempt(visitor, f"name{number}", "wrong password!")
    assert (await attempt(visitor, "camille", house.password)).status_code == 429
    await visitor.get("/sign-in/once")
    answer = await visitor.submit("sign-in-once-form", code=house.one_time_code("ines"), follow=False)
    assert answer.status_code == 429


async def test_a_good_sign_in_forgets_the_slips_before_it(house, visitor) -> None:
    for _ in range(MEMBER_FAILURES - 1):
        await attempt(visitor, "camille", "wrong password!")
    assert (await attempt(visitor, "camille", house.password)).status_code == 303
    visitor.http.cookies.clear()
    for _ in range(MEMBER_FAILURES - 1):
        assert (await attempt(visitor, "camille", "wrong password!")).status_code == 403


async def test_a_one_time_code_works_once_in_a_form_and_never_in_a_url(house, visitor) -> None:
    code = house.one_time_code("camille")
    await visitor.get(f"/sign-in/once?code={code}")
    assert code not in visitor.page.text
    typed = code.upper().replace("-", " ")
    answer = await visitor.submit("sign-in-once-form", code=typed)
    assert answer.url.path == "/password"
    assert code not in str(answer.url)
    other = house.browser()
    await other.get("/sign-in/once")
    assert (await other.submit("sign-in-once-form", code=code)).status_code == 403


async def test_a_code_that_is_too_old_opens_nothing(house, visitor) -> None:
    code = house.one_time_code("camille")
    house.clock.forward(timedelta(hours=1, seconds=1))
    await visitor.get("/sign-in/once")
    assert (await visitor.submit("sign-in-once-form", code=code)).status_code == 403


async def test_with_a_code_a_newcomer_sets_a_password_and_comes_back_with_it(house, visitor) -> None:
    await visitor.get("/sign-in/once")
    await visitor.submit("sign-in-once-form", code=house.one_time_code("ines"))
    new = "five green bottles"
    answer = await visitor.submit("password-form", password=new, password_again=new)
    assert answer.url.path == "/"
    visitor.http.cookies.clear()
    assert (await attempt(visitor, "ines", house.password)).status_code == 403
    assert (await attempt(visitor, "ines", new)).status_code == 303


async def test_a_password_is_changed_only_by_who_knows_it_and_ends_all_other_sessions(house, dpo) -> None:
    elsewhere = await house.browser().sign_in("camille")
    new = "nine slow trains go by"
    await dpo.get("/password")
    wrong = await dpo.submit("password-form", password=new, password_again=new, current_password="guess a lot")
    assert wrong.status_code == 422
    await dpo.get("/password")
    await dpo.submit("password-form", password=new, password_again=new, current_password=house.password)
    assert dpo.page.url.path == "/"
    assert (await elsewhere.get("/")).url.path == "/sign-in"


@pytest.mark.parametrize("weak", ["short", "aaaaaaaaaaaaaaaa", "camille-camille", "x" * 300])
async def test_weak_passwords_are_refused_with_the_reason(house, dpo, weak: str) -> None:
    await dpo.get("/password")
    answer = await dpo.submit("password-form", password=weak, password_again=weak, current_password=house.password)
    assert answer.status_code == 422
    assert 'id="password-error"' in answer.text


async def test_an_idle_session_ends_and_looking_at_a_page_keeps_it_awake(house, dpo) -> None:
    for _ in range(3):
        house.clock.forward(IDLE - timedelta(minutes=2))
        assert (await dpo.get("/")).url.path == "/"
    house.clock.forward(IDLE + timedelta(seconds=1))
    assert (await dpo.get("/")).url.path == "/sign-in"


async def test_a_page_that_refreshes_itself_does_not_count_as_use(house, dpo) -> None:
    for _ in range(4):
        house.clock.forward(IDLE / 4)
        await dpo.http.get("/", headers={"x-breachwatch-refresh": "1"})
    house.clock.forward(timedelta(minutes=2))
    assert (await dpo.get("/")).url.path == "/sign-in"


async def test_no_session_outlives_half_a_day_however_busy(house, dpo) -> None:
    for _ in range(12 * 3 + 1):
        house.clock.forward(timedelta(minutes=20))
        last = await dpo.get("/")
    assert last.url.path == "/sign-in"


async def test_signing_out_ends_the_session_for_good(house, dpo) -> None:
    token = dpo.http.cookies[COOKIE]
    await dpo.submit("/sign-out")
    assert dpo.page.url.path == "/sign-in"
    assert house.store.team.session(token_hash(token), house.clock()) is None


async def test_a_session_that_was_ended_is_not_revived_by_a_request_under_way(house, dpo) -> None:
    token = dpo.http.cookies[COOKIE]
    await dpo.submit("/sign-out")
    house.store.team.extend_session(token_hash(token), house.clock() + timedelta(hours=1))
    assert house.store.team.session(token_hash(token), house.clock()) is None


async def test_a_member_who_is_switched_off_is_out_at_once(house, dpo, admin) -> None:
    await admin.get("/team")
    await admin.submit("member-camille-form", active="0")
    assert (await dpo.get("/")).url.path == "/sign-in"


async def test_after_sign_in_the_page_that_was_wanted_opens_and_never_another_site(house, visitor) -> None:
    await visitor.get(house.path)
    assert visitor.page.url.path == "/sign-in"
    await visitor.submit("sign-in-form", name="camille", password=house.password)
    assert visitor.page.url.path == house.path
    for target in ("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"):
        fresh = house.browser()
        await fresh.get("/sign-in")
        answer = await fresh.submit("sign-in-form", follow=False, name="camille", password=house.password, next=target)
        assert answer.headers["location"] == "/", target


async def test_a_link_in_a_mail_leads_in_although_the_cookie_is_strict(house, visitor) -> None:
    """A browser that comes from elsewhere leaves a strict cookie out; one step within the desk brings it."""
    answer = await visitor.http.get(house.path, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 200
    assert f'content="0; url={house.path}"' in answer.text
    assert "Accounts entered" not in answer.text
