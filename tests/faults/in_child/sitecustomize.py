"""Imported by Python at its start where crash_points.environment_for put it first on the path."""

import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))
import crash_points

_text = os.environ.pop(crash_points.VARIABLE, "")
os.environ["PYTHONPATH"] = (
    os.environ.get("PYTHONPATH", "").replace(str(crash_points.IN_CHILD), "").strip(os.pathsep)
)
if _text:
    crash_points.watch_from(_text).start()
