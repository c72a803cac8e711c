"""pySigma processing pipelines: what a site, or another product's users, change in every rule before it is read.

Pipelines rename fields, add or drop conditions, fill placeholders in, change logsources and refuse rules. Their steps
for queries and output (postprocessing, finalizers) speak to search engines and do nothing here: they are not even
read, for their templates may load files and code. Steps that fetch from files, addresses or commands are refused.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.rule import SigmaDetection, SigmaDetections, SigmaLogSource, SigmaRule

from breachwatch.detection.conditions import Condition
from breachwatch.detection.sigma.sigma_correlation import CorrelationTerms, with_one_test
from breachwatch.detection.sigma.sigma_detection import DetectionReader
from breachwatch.kernel.errors import ContentError
from breachwatch.kernel.shapes import did_you_mean
from breachwatch.kernel.yaml import KeyPath, Node, read

if TYPE_CHECKING:
    from sigma.processing.pipeline import ProcessingPipeline

_STEP = re.compile(r"Error in processing rule (\d+): (.*)", re.DOTALL)
_STEPS = ("vars", "transformations", "priority", "name", "allowed_backends")
_OUTPUT = ("postprocessing", "finalizers")
_FETCHING = frozenset({"file_placeholders", "http_placeholders", "command_placeholders"})
_COMMON = ("title", "id", "name", "level", "status", "tags", "taxonomy", "fields", "author", "description", "custom")


class PipelineError(Exception):
    """A pipeline refuses a rule, or cannot be applied to it; `at` is the place in the rule."""

    def __init__(self, message: str, at: KeyPath = ()) -> None:
        super().__init__(message)
        self.at = at


@dataclass(frozen=True, slots=True)
class Piped:
    """What a pipeline made of a rule."""

    condition: Condition | None
    logsource: Mapping[str, str]
    fields: list[tuple[str, KeyPath]]


@dataclass(slots=True)
class Pipeline:
    """One or more pipelines applied one after the other, lowest priority first. `digest` tells them apart."""

    digest: str
    _pipeline: "ProcessingPipeline"
    _rules: dict[str, SigmaRule | SigmaCorrelationRule] = field(default_factory=dict)

    def rule(self, node: Node, reader: DetectionReader) -> Piped:
        """A rule as it is after the pipeline.

        Args:
            node: the rule's document.
            reader: has walked its selections without finding fault; decides the condition.

        Raises:
            PipelineError: the pipeline refuses it or fails at it.
        """
        given = node.data
        parted = [text.partition("|") for text in reader.texts()]
        plain = [wanted.strip() for wanted, _, _ in parted]
        counted = "".join(parted[0][1:])
        try:
            logsource = SigmaLogSource.from_dict(given["logsource"])
            rule = SigmaRule(
                logsource=logsource,
                detection=SigmaDetections(detections=dict(reader.selections), condition=plain),
                **SigmaRule.from_dict_common_params({key: given[key] for key in _COMMON if key in given})[0],
            )
            self._pipeline.apply(rule)
        except SigmaError as error:
            raise PipelineError(str(error), ("detection",)) from error
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            raise PipelineError(f"the pipeline fails at this rule: {error}", ("detection",)) from error
        self._rules.update({str(name): rule for name in (rule.id, rule.name) if name})
        conditions = [each.condition + (f" {counted}" if counted else "") for each in rule.detection.parsed_condition]
        condition = reader.decide(rule.detection.detections, conditions)
        source = rule.logsource
        named = {"category": source.category, "product": source.product, "service": source.service}
        return Piped(condition, {key: value for key, value in named.items() if value}, reader.fields)

    def renamed(self, node: Node, name: str) -> str:
        """What a pipeline calls a field of a rule.

        Raises:
            PipelineError: it gives the field several names, or none, or fails at it.
        """
        try:
            rule = SigmaRule(
                title="x",
                logsource=SigmaLogSource.from_dict(node.data["logsource"]),
                detection=SigmaDetections({"x": SigmaDetection.from_definition({name: "x"})}, ["x"]),
                fields=[name],
            )
            self._pipeline.apply(rule)
        except (SigmaError, TypeError, ValueError, AttributeError, KeyError) as error:
            raise PipelineError(f'the pipeline fails at the field "{name}": {error}', ("detection",)) from error
        if len(rule.fields) != 1:
            raise PipelineError(f'the pipeline has {len(rule.fields)} names for the field "{name}"', ("detection",))
        return str(rule.fields[0])

    def correlation(self, node: Node, terms: CorrelationTerms) -> CorrelationTerms:
        """A correlation as it is after the pipeline, once every rule went through it.

        Raises:
            PipelineError: as `rule`.
        """
        try:
            given = {**node.data, "correlation": with_one_test(node.data["correlation"])}
            rule = SigmaCorrelationRule.from_dict(
                {key: given[key] for key in (*_COMMON, "correlation") if key in given}
            )
            for reference in rule.rules or ():
                reference.rule = self._rules[reference.reference]
            rule.referenced_rules = list(rule.rules or ())
            self._pipeline.apply(rule)
        except SigmaError as error:
            raise PipelineError(str(error), ("correlation",)) from error
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            raise PipelineError(f"the pipeline fails at this correlation: {error}", ("correlation",)) from error
        self._rules.update({str(name): rule for name in (rule.id, rule.name) if name})
        counted = getattr(rule.condition, "fieldref", None)
        at: KeyPath = ("correlation", "group-by")
        return replace(
            terms,
            group_by=[(name, at) for name in rule.group_by or ()],
            counted=tuple(counted) if isinstance(counted, list) else (counted,) if counted else terms.counted,
            aliases=rule.aliases.to_dict(),
        )


def load_pipelines(names: Sequence[str], files: Mapping[str, bytes]) -> tuple[Pipeline, ...]:
    """Pipelines by name or file, joined into one; none where none is asked for.

    Args:
        names: a path out of `files`, or the name of one that an installed pySigma plug-in brings.
        files: what the files hold, by path.

    Raises:
        ContentError: a name stands for nothing, or a file is no pipeline, with its line.
    """
    if not names:
        return ()
    from sigma.processing.pipeline import ProcessingPipeline  # noqa: PLC0415 - brings a template engine along

    loaded: list[tuple[int, int, ProcessingPipeline]] = []
    digest = blake2b(digest_size=16)
    installed: Mapping[str, Any] | None = None
    for number, name in enumerate(names):
        if name in files:
            made = _of_file(name, files[name])
            digest.update(files[name])
        else:
            installed = _all_installed() if installed is None else installed
            made = _installed(name, installed)
            digest.update(name.encode())
        loaded.append((made.priority, number, made))
    together = sum((each for _, _, each in sorted(loaded, key=lambda one: one[:2])), start=ProcessingPipeline())
    return (Pipeline(digest.hexdigest(), together),)


def _all_installed() -> Mapping[str, Any]:
    from sigma.plugins import InstalledSigmaPlugins  # noqa: PLC0415 - looks through everything that is installed

    return InstalledSigmaPlugins.autodiscover(include_backends=False, include_validators=False).pipelines


def _installed(name: str, known: Mapping[str, Any]) -> "ProcessingPipeline":
    from sigma.processing.pipeline import ProcessingPipeline  # noqa: PLC0415

    if name not in known:
        hint = did_you_mean(name, known)
        raise ContentError([Node(name, None).problem((), "no such file, and no pipeline is called so", hint)])
    made = known[name]
    pipeline = made() if callable(made) else made
    if not isinstance(pipeline, ProcessingPipeline):
        raise ContentError([Node(name, None).problem((), "this is no pipeline")])
    return pipeline


def _of_file(path: str, body: bytes) -> "ProcessingPipeline":
    from sigma.processing.pipeline import ProcessingPipeline  # noqa: PLC0415

    node = read(body, path)
    if not isinstance(node.data, dict) or not {"transformations", "vars", "postprocessing"} & node.data.keys():
        raise ContentError([node.problem((), "a pipeline is a mapping with `transformations`")])
    strange = [name for name in node.data if name not in (*_STEPS, *_OUTPUT)]
    if strange:
        raise ContentError([node.problem((name,), f'a pipeline has no "{name}"') for name in strange])
    if fetching := list(_fetching(node.data.get("transformations"), ("transformations",))):
        message = "a pipeline fetches nothing from files, addresses or commands; write values in `vars`"
        raise ContentError([node.problem(at, message) for at in fetching])
    try:
        return ProcessingPipeline.from_dict({name: node.data[name] for name in _STEPS if name in node.data})
    except SigmaError as error:
        step = _STEP.match(str(error))
        at: KeyPath = ("transformations", int(step[1]) - 1) if step else ()
        raise ContentError([node.problem(at, step[2] if step else str(error))]) from error
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise ContentError([node.problem((), f"this is no pipeline that pySigma knows: {error}")]) from error


def _fetching(step: object, at: KeyPath) -> Iterator[KeyPath]:
    """Where steps stand that would open a file, a connection or a process, nested ones too."""
    if isinstance(step, dict):
        if step.get("type") in _FETCHING:
            yield (*at, "type")
        for name, each in step.items():
            yield from _fetching(each, (*at, name))
    elif isinstance(step, list):
        for index, each in enumerate(step):
            yield from _fetching(each, (*at, index))
