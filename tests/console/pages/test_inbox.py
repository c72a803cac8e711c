"""The inbox: what presses first, what is loose, and how something is raised."""

from datetime import timedelta


async def test_incidents_stand_in_the_order_of_the_time_that_is_left(house, analyst) -> None:
    later = house.clock()
    second = house.flow.take_alert(house.alert("al-second", group={"src_endpoint.ip": "192.0.2.1"}, at=later), later)
    page = (await analyst.get("/")).text
    assert page.index(house.incident) < page.index(second)
    assert "2 clocks running" in page
    assert page.count("data-due=") == 2


async def test_severity_is_said_in_words_beside_its_picture(house, analyst) -> None:
    page = (await analyst.get("/")).text
    assert "High" in page
    assert "Next: confirm or dismiss it" in page
    assert "4 reachable" in page


async def test_a_loose_alert_is_raised_by_an_analyst(house, analyst) -> None:
    await analyst.get("/")
    assert "Many accounts tried" in analyst.page.text
    await analyst.submit("/alerts/al-tried/raise")
    assert analyst.page.url.path.startswith("/incidents/")
    row = house.store.ledger.alert("al-tried")
    assert row.incident_id is not None
    facts = house.store.ledger.facts(row.incident_id)
    assert facts[0].actor == "ines"
    assert "al-tried" not in (await analyst.get("/")).text


async def test_an_alert_page_shows_its_samples_and_where_it_belongs(house, analyst) -> None:
    page = (await analyst.get("/alerts/al-entered")).text
    assert f'href="{house.path}"' in page
    assert "http_request.user_agent" in page
    assert "2026-03-27T09:42:00Z" in page
    assert (await analyst.get("/alerts/al-none")).status_code == 404


async def test_empty_states_say_what_to_do_next(house, analyst) -> None:
    await analyst.get(house.path)
    await analyst.submit("dismiss-form", reason="A drill.")
    await analyst.get("/")
    await analyst.submit("/alerts/al-tried/raise")
    await analyst.submit("dismiss-form", reason="A drill, too.")
    page = (await analyst.get("/")).text
    assert "No clock is running." in page
    assert 'href="/raise"' in page
    assert "No loose alerts." in page
    assert "watching app-audit" in page


async def test_what_no_log_tells_is_raised_by_hand_and_nothing_is_made_up(house, analyst) -> None:
    await analyst.get("/raise")
    await analyst.submit(
        "raise-form",
        playbook="stolen-passwords",
        title="Laptop left on a train",
        description="On the 18:04.\nThe carrier was told.",
        occurred_from="2026-03-27T08:00",
        people_estimate="",
        records_estimate="250",
    )
    assert "Laptop left on a train" in analyst.page.text
    incident = house.flow.case(analyst.page.url.path.rpartition("/")[2]).raised()
    assert incident.people_estimate is None
    assert incident.records_estimate == 250
    assert f"{incident.occurred_from:%H:%M}" == "07:00"


async def test_a_form_that_cannot_be_read_says_which_field_and_keeps_the_text(house, analyst) -> None:
    for field, value in (("people_estimate", "a few"), ("occurred_from", "yesterday"), ("title", "")):
        await analyst.get("/raise")
        fields = {"playbook": "stolen-passwords", "title": "A title", "description": "A description of some length."}
        answer = await analyst.submit("raise-form", **{**fields, field: value})
        assert answer.status_code == 422, field
        assert "A description of some length." in answer.text


async def test_a_playbook_that_is_not_there_is_said_so(house, analyst) -> None:
    await analyst.get("/raise")
    answer = await analyst.submit("raise-form", playbook="../etc", title="T", description="D")
    assert answer.status_code == 404
    assert len(house.store.ledger.summaries()) == 1


async def test_an_overdue_case_stands_first_and_is_counted(house, analyst) -> None:
    house.clock.forward(timedelta(hours=80))
    house.flow.ring(house.clock())
    await analyst.sign_in("ines")
    page = (await analyst.get("/")).text
    assert "1 overdue" in page
    assert "+09:00:00" in page


async def test_what_is_wrong_with_the_service_stands_above_the_board(house, analyst) -> None:
    assert 'role="alert"' not in (await analyst.get("/")).text
    house.status.update(troubles=[f"directory look-up: <b>{number}" for number in range(5)])
    page = (await analyst.get("/")).text
    assert page.count('role="alert"') == 3
    assert "directory look-up: &lt;b&gt;0" in page
    assert '<a href="/status">All 5 troubles</a>' in page
