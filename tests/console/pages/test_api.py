"""The reading interface for programs: the same truth as the pages, as JSON."""


async def test_incidents_with_the_time_that_is_left(house, analyst) -> None:
    data = (await analyst.http.get("/api/incidents")).json()
    (row,) = data["incidents"]
    assert row["incident_id"] == house.incident
    assert row["seconds_left"] == 71 * 3600
    assert row["due_at"] == "2026-03-30T09:42:00Z"
    assert row["people_total"] == 7
    assert row["level"] == "high"


async def test_one_incident_with_what_an_approval_must_have_seen(house, dpo) -> None:
    data = (await dpo.http.get(f"/api/incidents/{house.incident}")).json()
    case = house.flow.case(house.incident)
    assert data["seq"] == case.seq == len(data["facts"])
    assert data["filing"]["digest"] == house.flow.filled_form(case, house.clock()).digest
    assert data["notices"]["digest"] == house.flow.notices_digest(case)
    assert data["notices"]["languages"] == ["en", "fr"]
    assert data["notices"]["missing_parts"] == {"en": [], "fr": []}
    assert data["people"]["resolved"]["by_language"]
    (clock,) = data["clocks"]
    assert clock["state"] == "running"
    assert clock["article"] == "33(1)"
    page = await dpo.get(f"{house.path}/filing")
    assert data["filing"]["digest"][:16] in page.text or "decide what is owed" in page.text


async def test_alerts_with_the_incident_they_belong_to(house, analyst) -> None:
    data = (await analyst.http.get("/api/alerts")).json()
    by_id = {row["id"]: row for row in data["alerts"]}
    assert by_id["al-tried"]["incident_id"] is None
    assert by_id["al-entered"]["incident_id"] == house.incident
    assert "samples" not in by_id["al-entered"]
    assert "subjects" not in by_id["al-entered"]


async def test_an_alert_goes_to_other_tools_in_their_own_words(house, analyst, admin) -> None:
    finding = (await analyst.http.get("/api/alerts/al-entered/ocsf")).json()
    assert (finding["class_uid"], finding["finding_info"]["uid"]) == (2004, "al-entered")
    bundle = (await analyst.http.get("/api/alerts/al-entered/stix")).json()
    kinds = {each["type"] for each in bundle["objects"]}
    assert {"identity", "observed-data"} <= kinds
    assert "user-account" not in kinds
    assert "/api/alerts/al-entered/ocsf" in (await analyst.get("/alerts/al-entered")).text
    for form in ("ocsf", "stix"):
        assert (await analyst.http.get(f"/api/alerts/al-nowhere/{form}")).status_code == 404
        assert (await admin.http.get(f"/api/alerts/al-entered/{form}")).status_code == 403


async def test_errors_are_json_too(house, analyst, visitor) -> None:
    answer = await analyst.http.get("/api/incidents/in-unknown")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
    nobody = await visitor.http.get("/api/incidents")
    assert nobody.status_code == 401
    assert nobody.json()["error"]["code"] == "signed_out"
    assert (await analyst.http.get("/api/nothing")).json()["error"]["code"] == "not_found"
    assert (await analyst.http.post("/api/alerts")).status_code == 405


async def test_an_administrator_reads_no_case(house, admin) -> None:
    for path in ("/api/incidents", f"/api/incidents/{house.incident}", "/api/alerts"):
        assert (await admin.http.get(path)).status_code == 403


async def test_the_dispatch_is_told_in_numbers(house, dpo) -> None:
    await dpo.get(house.path)
    await dpo.submit("confirm-form", note="")
    await dpo.submit("decision-form", duty="notify_authority_and_people", reason="")
    await dpo.get(f"{house.path}/notices")
    await dpo.submit("approve-notices-form")
    data = (await dpo.http.get(f"/api/incidents/{house.incident}")).json()
    assert data["notices"]["dispatch"] == {"pending": 4}
    assert data["notices"]["approvals"][0]["audience"] == 4
