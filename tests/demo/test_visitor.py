"""The demo's DPO sees what a browser without JavaScript sees."""

import pytest

from breachwatch.demo.visitor import Visitor, read_page
from breachwatch.kernel.errors import NotFoundError, RefusedError

PAGE = """
<h1>An incident</h1><script>nobody sees this</script>
<a href="/incidents/in-1/filing">Filing</a>
<form id="decide" action="/incidents/in-1/decide" method="post">
  <input type="hidden" name="csrf" value="t0ken">
  <input type="radio" name="duty" value="record_only"><input type="radio" name="duty" value="notify_authority" checked>
  <input type="checkbox" name="sure" value="yes">
  <select name="country"><option value="FR">France</option><option value="DE">Germany</option></select>
  <textarea name="reason">
as &lt;proposed&gt;</textarea>
  <button name="go" value="now">Decide</button>
</form>
"""


def test_a_form_is_read_with_the_values_it_would_send() -> None:
    page = read_page("http://desk.example/incidents/in-1", 200, PAGE)
    form = page.form("decide")
    assert form.action == "http://desk.example/incidents/in-1/decide"
    assert form.fields == {
        "csrf": "t0ken",
        "duty": "notify_authority",
        "country": "FR",
        "reason": "as <proposed>",
        "go": "now",
    }
    assert ("sure", "yes") in form.choices
    assert page.links == ("http://desk.example/incidents/in-1/filing",)
    assert "nobody sees this" not in page.text


def test_a_form_that_is_not_offered_is_named_with_those_that_are() -> None:
    with pytest.raises(NotFoundError, match="offers no form 'approve'; it offers decide"):
        read_page("http://desk.example/incidents/in-1", 200, PAGE).form("approve")


def test_only_the_web_is_visited() -> None:
    with pytest.raises(RefusedError):
        Visitor("file:///etc")
