"""A browser without JavaScript: follows pages and sends their forms, so that the demo can play the DPO by itself."""

from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import HTTPCookieProcessor, Request, build_opener

from breachwatch.kernel.errors import NotFoundError, RefusedError


@dataclass(frozen=True, slots=True)
class Form:
    """A form as the page gives it: where it goes, and every field with the value it has now."""

    id: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    choices: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Page:
    """What came back: `text` is the page without its markup, for looking at what is shown."""

    url: str
    status: int
    html: str
    text: str
    forms: tuple[Form, ...]
    links: tuple[str, ...]

    def form(self, id_or_action: str) -> Form:
        """The form of this id, or whose action ends so.

        Raises:
            NotFoundError: the page offers none, perhaps because this is not the moment for it.
        """
        for form in self.forms:
            if form.id == id_or_action or urlsplit(form.action).path.endswith(id_or_action):
                return form
        offered = ", ".join(form.id or form.action for form in self.forms) or "none"
        raise NotFoundError(f"{urlsplit(self.url).path} offers no form {id_or_action!r}; it offers {offered}")


class Visitor:
    """One person at the desk of `base_url`, with the cookies they were given."""

    def __init__(self, base_url: str) -> None:
        if urlsplit(base_url).scheme not in ("http", "https"):
            raise RefusedError("a desk is visited over http or https")
        self._base = base_url
        self._opener = build_opener(HTTPCookieProcessor(CookieJar()))

    def get(self, path: str) -> Page:
        """Open a page, following redirects; an error page is a page too."""
        return self._open(Request(urljoin(self._base, path)))  # noqa: S310 - the scheme was checked

    def send(self, form: Form, **values: str) -> Page:
        """Send a form with some fields changed, as its button would.

        Raises:
            NotFoundError: the form has no such field.
        """
        unknown = values.keys() - form.fields.keys() - {name for name, _ in form.choices}
        if unknown:
            raise NotFoundError(f"the form {form.id or form.action} has no field {', '.join(sorted(unknown))}")
        body = urlencode({**form.fields, **values}).encode()
        return self._open(Request(form.action, data=body, headers={"Origin": self._origin()}))  # noqa: S310 - checked

    def _origin(self) -> str:
        parts = urlsplit(self._base)
        return f"{parts.scheme}://{parts.netloc}"

    def _open(self, request: Request) -> Page:
        try:
            with self._opener.open(request, timeout=30) as answer:
                return read_page(answer.url, answer.status, answer.read().decode("utf-8"))
        except HTTPError as error:
            return read_page(error.url, error.code, error.read().decode("utf-8", "replace"))


def read_page(url: str, status: int, html: str) -> Page:
    """A page out of its markup."""
    reader = _Reader(url)
    reader.feed(html)
    reader.close()
    text = " ".join(" ".join(reader.words).split())
    return Page(url, status, html, text, tuple(reader.forms), tuple(reader.links))


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self._inside = False
        self._unseen = 0
        self._text_area = ""
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in ("script", "style"):
            self._unseen += 1
        elif tag == "a" and "href" in given:
            self.links.append(urljoin(self._url, given["href"]))
        elif tag == "form":
            self._inside = True
            self.forms.append(Form(given.get("id", ""), urljoin(self._url, given.get("action", ""))))
        elif self._inside:
            self._field(tag, given)

    def _field(self, tag: str, given: dict[str, str]) -> None:
        name, value = given.get("name", ""), given.get("value", "")
        if tag == "textarea":
            self._text_area = name
            self._put(name, "")
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            self._offer(self._select, value, "selected" in given or self._select not in self.forms[-1].fields)
        elif tag in ("input", "button") and name:
            if given.get("type") in ("radio", "checkbox"):
                self._offer(name, value or "on", "checked" in given)
            elif tag == "input" or name not in self.forms[-1].fields:
                self._put(name, value)

    def _offer(self, name: str, value: str, chosen: bool) -> None:
        form = self.forms[-1]
        self.forms[-1] = replace(form, choices=form.choices | {(name, value)})
        if chosen:
            self._put(name, value)

    def _put(self, name: str, value: str) -> None:
        form = self.forms[-1]
        self.forms[-1] = replace(form, fields={**form.fields, name: value})

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._unseen -= 1
        elif tag == "form":
            self._inside = False
        elif tag == "textarea":
            self._text_area = ""
        elif tag == "select":
            self._select = ""

    def handle_data(self, data: str) -> None:
        if self._text_area and self._inside:
            so_far = self.forms[-1].fields[self._text_area]
            self._put(self._text_area, so_far + (data if so_far else data.removeprefix("\n")))
        if not self._unseen:
            self.words.append(data)
