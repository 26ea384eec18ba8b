"""Tests of writers share random transcripts: `from transcripts import transcripts`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
