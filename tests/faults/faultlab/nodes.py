"""Brokers to break, as the tests have them, outside of a test."""

import shutil
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

CONFTEST = Path(__file__).parents[2] / "conftest.py"


def _own_kafka() -> Any:
    spec = spec_from_file_location("breachwatch_fixtures", CONFTEST)
    if spec is None or spec.loader is None:
        raise ImportError(f"{CONFTEST} cannot be loaded")
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.OwnKafka


class Nodes(_own_kafka()):  # type: ignore[misc]
    """Runs from the beginning until `close`."""

    def __init__(self, folder: Path, nodes: int) -> None:
        folder.mkdir(parents=True)
        super().__init__(folder, nodes)

    def close(self) -> None:
        self.thaw()
        self.kill()
        shutil.rmtree(self.folder)
