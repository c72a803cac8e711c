"""The whole flow of a case: `flow` is the page to read first, `service` is what engines and the desk call."""

from breachwatch.pipeline.case import Case
from breachwatch.pipeline.service import CaseFlow
from breachwatch.pipeline.world import World

__all__ = ["Case", "CaseFlow", "World"]
