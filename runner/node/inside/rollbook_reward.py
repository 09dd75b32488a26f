"""The reward function as a trainer sees it: the declared one, with every call on record.

The trainer loads this file and calls `compute_score`. Which function that stands for is said by

- ROLLBOOK_CODE: the folder of the run's code, in which the function may import its neighbours;
- ROLLBOOK_REWARD_FILE: the function's file, an absolute path inside that folder;
- ROLLBOOK_REWARD_FUNCTION: its name;
- ROLLBOOK_REWARD_LOG: the folder for the record, one file `<pid>.f64` per process, in which each
  call has left its score as a little-endian float64, or NaN if it raised. Written with one
  system call per score, so that it survives a killed process.
"""

import importlib
import inspect
import math
import os
import struct
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any


def declared_function() -> Callable[..., Any]:
    """The function of the run's code, its module imported under its dotted name (reward.gsm8k)."""
    code = Path(os.environ["ROLLBOOK_CODE"]).resolve()
    file = Path(os.environ["ROLLBOOK_REWARD_FILE"]).resolve()
    if str(code) not in sys.path:
        sys.path.insert(0, str(code))
    module = importlib.import_module(".".join(file.relative_to(code).with_suffix("").parts))
    if module.__file__ is None or Path(module.__file__).resolve() != file:
        raise ImportError(f"{module.__name__} is {module.__file__}, and should be {file}")
    function: Callable[..., Any] = getattr(module, os.environ["ROLLBOOK_REWARD_FUNCTION"])
    return function


def score_of(result: Any) -> float:
    """The number in what a reward function returned, itself or under "score"; else NaN."""
    try:
        return float(result["score"] if isinstance(result, dict) else result)
    except (KeyError, TypeError, ValueError):
        return math.nan  # the trainer will complain about it


@cache
def log_of(process: int) -> int:
    """The file descriptor of a process's record. A forked process gets a file of its own."""
    folder = Path(os.environ["ROLLBOOK_REWARD_LOG"])
    folder.mkdir(parents=True, exist_ok=True)
    return os.open(folder / f"{process}.f64", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


def record(score: float) -> None:
    """Append one score. Calls come from several threads: one write each, no buffer, no lock."""
    os.write(log_of(os.getpid()), struct.pack("<d", score))


function = declared_function()

# verl looks at whether `compute_score` is a coroutine function, hence two of them.
if inspect.iscoroutinefunction(function):

    async def compute_score(*args: Any, **kwargs: Any) -> Any:
        """Await the declared function, and record its score."""
        try:
            result = await function(*args, **kwargs)
        except BaseException:
            record(math.nan)
            raise
        record(score_of(result))
        return result

else:

    def compute_score(*args: Any, **kwargs: Any) -> Any:
        """Call the declared function, and record its score."""
        try:
            result = function(*args, **kwargs)
        except BaseException:
            record(math.nan)
            raise
        record(score_of(result))
        return result
