"""What was found in rule files, as the JUnit XML that continuous integration shows beside a change.

Source: the format as Jenkins and GitLab read it: a suite of cases, a case with failures for errors.
"""

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from breachwatch.detection.trying.lint import Finding, Linted


def junit(linted: Sequence[Linted], name: str) -> bytes:
    """One case a document; errors are failures, warnings are told in its output."""
    failed = sum(any(each.severity == "error" for each in one.findings) for one in linted)
    suites = Element("testsuites", name="breachwatch rules lint", tests=str(len(linted)), failures=str(failed))
    suite = SubElement(
        suites, "testsuite", name=name, tests=str(len(linted)), failures=str(failed), errors="0", skipped="0"
    )
    for one in linted:
        case = SubElement(
            suite, "testcase", classname=one.path, name=_plain(one.title), file=one.path, line=str(one.line)
        )
        errors = [each for each in one.findings if each.severity == "error"]
        if errors:
            failure = SubElement(case, "failure", message=_plain(_told(errors[0])), type=errors[0].check)
            failure.text = "\n".join(_plain(_told(each)) for each in errors)
        warnings = [each for each in one.findings if each.severity == "warning"]
        if warnings:
            SubElement(case, "system-out").text = "\n".join(f"warning: {_plain(_told(each))}" for each in warnings)
    indent(suites)
    written: bytes = tostring(suites, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _told(finding: Finding) -> str:
    return str(finding.problem)


def _plain(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return "".join(char if char in "\t\n" or char.isprintable() else "�" for char in text)
