"""The team: who may sign in, and how somebody new comes in."""

import re

from breachwatch.console.passwords import token_hash


async def test_a_newcomer_is_added_and_comes_in_with_a_code_shown_once(house, admin) -> None:
    await admin.get("/team")
    await admin.submit("add-member-form", name="Olu", display_name="Olu <i>O</i>", roles=["analyst"])
    assert "Olu &lt;i&gt;" in admin.page.text
    await admin.submit("code-olu-form")
    found = re.search(r'id="code">([a-z0-9-]{24})<', admin.page.text)
    assert found
    assert found[1] not in (await admin.get("/team")).text
    newcomer = house.browser()
    await newcomer.get("/sign-in/once")
    await newcomer.submit("sign-in-once-form", code=found[1])
    assert newcomer.page.url.path == "/password"


async def test_the_code_is_kept_only_as_a_hash(house, admin) -> None:
    await admin.get("/team")
    await admin.submit("code-ines-form")
    code = re.search(r'id="code">([a-z0-9-]{24})<', admin.page.text)[1]
    assert house.store.team.use_sign_in(code, house.clock()) is None
    assert house.store.team.use_sign_in(token_hash(code), house.clock()) == "ines"


async def test_roles_change_at_once(house, admin, analyst) -> None:
    assert (await analyst.get("/register")).status_code == 403
    await admin.get("/team")
    await admin.submit("member-ines-form", roles=["dpo"])
    assert (await analyst.get("/register")).status_code == 200


async def test_the_last_administrator_cannot_be_taken_away(house, admin) -> None:
    await admin.get("/team")
    answer = await admin.submit("member-robin-form", roles=["analyst"])
    assert answer.status_code == 422
    await admin.get("/team")
    assert (await admin.submit("member-robin-form", active="0")).status_code == 422


async def test_names_and_roles_are_checked(house, admin) -> None:
    for fields in ({"name": "../x", "roles": ["dpo"]}, {"name": "x", "roles": []}, {"name": "x", "roles": ["root"]}):
        await admin.get("/team")
        assert (await admin.submit("add-member-form", **fields)).status_code == 422
    assert len(house.store.team.members()) == 3


async def test_a_code_for_nobody_is_not_made(house, admin) -> None:
    await admin.get("/team")
    answer = await admin.http.post("/team/sign-in", data={"csrf": admin.csrf, "name": "nobody"})
    assert answer.status_code == 404
