"""Tests of engines share a made-up job: `from fakes import FakeJob, items`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
