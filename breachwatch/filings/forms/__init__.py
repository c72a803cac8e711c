"""The forms that come with the package, one YAML file each."""

from pathlib import Path

from breachwatch.filings.forms.model import Form
from breachwatch.kernel.shapes import conform
from breachwatch.kernel.yaml import read

_FOLDER = Path(__file__).parent


def package_forms() -> dict[str, Form]:
    """Every form by its id.

    Raises:
        ContentError: a form file is not what a form must be; names every place.
    """
    forms = [conform(Form, read(path.read_bytes(), path.name)) for path in sorted(_FOLDER.glob("*.yml"))]
    return {form.id: form for form in forms}
