"""What detection runs on, now and after somebody has saved a file: the operator's playbooks and adjustments."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from breachwatch.detection.correlating.correlator import Correlator
from breachwatch.detection.detector import Detector
from breachwatch.detection.playbooks.content import Content, load_content, read_tree
from breachwatch.detection.trying.adjustments import Adjustments
from breachwatch.engines.reloading import digest_of
from breachwatch.kernel.pseudonyms import Pseudonymise
from breachwatch.kernel.shipped import shipped
from breachwatch.notices.placeholders import PLACEHOLDERS
from breachwatch.settings import Settings
from breachwatch.sources.source import Source
from breachwatch.wiring.content import with_adjustments

Key = TypeVar("Key")
Value = TypeVar("Value")


class Present(Mapping[Key, Value], Generic[Key, Value]):
    """A mapping that another takes the place of, all at once; what is gone from it stays known."""

    def __init__(self, known: Mapping[Key, Value]) -> None:
        self._known = dict(known)

    def put(self, known: Mapping[Key, Value]) -> None:
        """Go on with this, and what was known before."""
        self._known = {**self._known, **known}

    def __getitem__(self, key: Key) -> Value:
        return self._known[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


@dataclass(frozen=True, slots=True)
class Stages:
    """The two stages made of one content."""

    content: Content
    detector: Detector
    correlator: Correlator


class LiveContent:
    """Reads playbooks and adjustments, and makes stages of them, as often as somebody asks.

    `playbooks` and `notices` are what the case plane judges by; they follow along. `digest`: of the files at first.

    Args:
        settings: name the folder and the file.
        sources: fixed for the life of the process.

    Raises:
        ContentError: everything that is wrong with the files.
    """

    def __init__(self, settings: Settings, sources: Mapping[str, Source]) -> None:
        self._folder = settings.playbooks_dir or shipped("playbooks")
        self._adjusting = settings.adjustments
        self._sources = sources
        self.digest = self.look()
        self._content, self._adjustments = self._read()
        self.playbooks = Present(self._content.playbooks)
        self.notices = Present(self._content.notices)

    def look(self) -> str:
        """A digest of all files."""
        tree = read_tree(self._folder)
        if self._adjusting is not None and self._adjusting.is_file():
            tree["adjustments"] = self._adjusting.read_bytes()
        return digest_of(tree)

    def _read(self) -> tuple[Content, Adjustments]:
        content = load_content(read_tree(self._folder), self._sources, PLACEHOLDERS)
        return with_adjustments(content, self._adjusting)

    def reread(self) -> Content:
        """The files as they are now, for who judges cases and detects nothing.

        Raises:
            ContentError: everything that is wrong with them.
        """
        return self._read()[0]

    def put(self, content: Content) -> None:
        """Judge by other playbooks and notices from now on."""
        self.playbooks.put(content.playbooks)
        self.notices.put(content.notices)

    def detecting(self, pseudonymise: Pseudonymise, *, anew: bool = False) -> tuple[Content, Detector]:
        """Content and the stateless stage of it: of the files as they were first read, or as they are now (`anew`).

        Raises:
            ContentError: everything that is wrong with the files as they are now.
        """
        content, adjustments = self._read() if anew else (self._content, self._adjustments)
        return content, Detector(content, self._sources, pseudonymise, adjustments.allow)

    def stages(self, pseudonymise: Pseudonymise) -> Stages:
        """Stages of the files as they were first read."""
        return self._stages(self._content, self._adjustments, pseudonymise)

    def reader(self, pseudonymise: Pseudonymise) -> Callable[[], Stages]:
        """What reads the files anew; it raises `ContentError` with everything that is wrong with them."""
        return lambda: self._stages(*self._read(), pseudonymise)

    def _stages(self, content: Content, adjustments: Adjustments, pseudonymise: Pseudonymise) -> Stages:
        detector = Detector(content, self._sources, pseudonymise, adjustments.allow)
        return Stages(content, detector, Correlator(content))

    def user(self, reload: Callable[[Detector, Correlator], None]) -> Callable[[Stages], None]:
        """What puts stages to work: the case plane learns of new playbooks before an alert of theirs can come."""

        def use(stages: Stages) -> None:
            self.put(stages.content)
            reload(stages.detector, stages.correlator)

        return use
