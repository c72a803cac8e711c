"""Stories of the whole service: log line in, mail out, with its process killed and its surroundings in trouble."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
