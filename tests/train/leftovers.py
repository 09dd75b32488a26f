"""What a job may have left on the machine."""

from pathlib import Path


def shared_memory(job: Path) -> list[str]:
    """Return the segments that the job's processes had mapped and that are still there."""
    noted = job / "shared-memory.txt"
    names = noted.read_text().split() if noted.exists() else []
    return [name for name in names if (Path("/dev/shm") / name).exists()]
