"""Following a trainer: its metrics as they appear, and what it uses of the machine."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import psutil

from runner.node.channel import METRICS, SYSTEM, Channel, timestamp
from runner.spec.experiment import Run
from runner.trainers.base import Trainer


class MetricsFollower:
    """Copies a trainer's metrics file line by line, with canonical names beside raw ones."""

    def __init__(self, path: Path, trainer: Trainer, run: Run, channel: Channel) -> None:
        """Follow `path`, which need not exist yet."""
        self._path = path
        self._trainer = trainer
        self._run = run
        self._channel = channel
        self._file: IO[str] | None = None
        self._partial = ""
        self.last_step = 0
        self.latest: dict[str, float] = {}

    def advance(self) -> None:
        """Take over the lines that are complete by now."""
        for line in self._complete_lines():
            entry = self._trainer.parse(line)
            if entry is None:
                continue
            raw = {**entry.values, **_not_finite(line)}
            canonical = self._trainer.canonical(raw, self._run)
            self.last_step = max(self.last_step, entry.step)
            self.latest.update(_finite(canonical))
            self._channel.append(
                METRICS,
                {
                    "step": entry.step,
                    "time": timestamp(),
                    "metrics": _json_values(canonical),
                    "raw": _json_values(raw),
                },
            )

    def _complete_lines(self) -> Iterator[str]:
        if self._file is None:
            if not self._path.exists():
                return
            self._file = self._path.open(errors="replace")
        self._partial += self._file.read()
        *lines, self._partial = self._partial.split("\n")
        yield from lines

    def close(self) -> None:
        """Take over the rest and close the file."""
        self.advance()
        if self._file is not None:
            self._file.close()


def _not_finite(line: str) -> dict[str, float]:
    """Return what a line of metrics says is NaN or infinite, which `Trainer.parse` leaves out.

    A loss that is no number any more has to be seen: it decides whether the run is to be believed.
    """
    if "NaN" not in line and "Infinity" not in line:
        return {}
    content = json.loads(line)
    values = content.get("data", content)  # verl keeps the metrics of a step below `data`
    if not isinstance(values, dict):
        return {}
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, float) and not math.isfinite(value)
    }


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if math.isfinite(value)}


def _json_values(values: Mapping[str, float]) -> dict[str, float | None]:
    """Return `values` as JSON has them: what is no finite number becomes null, and is seen."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


class MachineSampler:
    """Samples CPU time and memory of a job's processes, and of the GPUs where there are any."""

    def __init__(self, channel: Channel) -> None:
        """Write samples to `channel`."""
        self._channel = channel
        self._last: tuple[float, float] | None = None
        self.peak_memory_bytes = 0

    def is_due(self, seconds: float) -> bool:
        """Whether the last sample is at least `seconds` old."""
        return self._last is None or time.monotonic() - self._last[0] >= seconds

    def sample(self, processes: list[psutil.Process]) -> None:
        """Add one sample; memory is the proportional set size, which counts shared pages once."""
        memory, cpu_seconds = 0, 0.0
        for process in processes:
            with contextlib.suppress(psutil.Error):
                memory += process.memory_full_info().pss
                times = process.cpu_times()
                cpu_seconds += times.user + times.system
        self.peak_memory_bytes = max(self.peak_memory_bytes, memory)
        self._channel.append(
            SYSTEM,
            {
                "time": timestamp(),
                "cpu_percent": self._percent(cpu_seconds),
                "memory_bytes": memory,
                "processes": len(processes),
                "gpus": gpus(),
            },
        )

    def _percent(self, cpu_seconds: float) -> float | None:
        """Return the CPU time since the last sample, as a percentage of one core."""
        moment = time.monotonic()
        last, self._last = self._last, (moment, cpu_seconds)
        if last is None or moment <= last[0]:
            return None
        return round(max(0.0, 100 * (cpu_seconds - last[1]) / (moment - last[0])), 1)


def gpus() -> list[dict[str, Any]]:
    """Return use and memory of each GPU by nvidia-smi; nothing on a machine without one."""
    import shutil
    import subprocess

    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    query = "--query-gpu=utilization.gpu,memory.used,memory.total"
    try:
        done = subprocess.run(
            [program, query, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    rows = (line.split(", ") for line in done.stdout.splitlines())
    return [
        {"percent": float(use), "memory_mib": float(used), "memory_total_mib": float(total)}
        for use, used, total in rows
    ]
