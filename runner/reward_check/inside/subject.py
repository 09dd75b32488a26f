"""The isolated side: imports a reward, calls it, and says what came of each call.

Requests are lines of JSON on standard input, replies lines of JSON on what was standard output.
What the reward itself prints goes elsewhere. The reward shares this process: whoever writes it can
forge the replies, and so nobody takes them for more than advice.
"""

from __future__ import annotations

import ast
import asyncio
import importlib
import importlib.util
import inspect
import json
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

CODE = "/bundle/code"
LONGEST_MESSAGE = 300
MOST_EVENTS = 3
"""Different files, or network addresses, that are told."""
NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
EXPECTED = ("StopIteration", "StopAsyncIteration", "GeneratorExit")
"""Exceptions that loops end by."""


class Seen:
    """What the reward does besides returning: files outside its own, network addresses."""

    def __init__(self) -> None:
        """Watch from here on; Python has no way to take such a hook off again."""
        self.network: list[str] = []
        self.files: list[str] = []
        own = (sys.prefix, sys.base_prefix, "/bundle", "/usr", "/lib", "/dev", "/proc", "/tmp")  # noqa: S108
        self._own = tuple(f"{path}/" for path in own)
        sys.addaudithook(self._look)

    def _look(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in NETWORK:
            address = arguments[0] if event.startswith("socket.gethost") else arguments[1:2]
            if event == "socket.getaddrinfo":
                address = arguments[:2]
            self._add(self.network, str(address))
        elif event == "open" and isinstance(arguments[0], (str, bytes)):
            path = os.path.abspath(os.fsdecode(arguments[0]))  # noqa: PTH100 - opens nothing
            if not path.startswith(self._own) and not path.startswith("/etc/ld.so"):
                self._add(self.files, path)

    def _add(self, events: list[str], event: str) -> None:
        if event not in events and len(events) < MOST_EVENTS:
            events.append(event[:LONGEST_MESSAGE])


class Swallowed:
    """Exceptions that are raised in the reward's own files while it is being called."""

    def __init__(self) -> None:
        """Note nothing yet."""
        self.first = ""

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        """Trace a new frame, as `sys.settrace` asks for."""
        return self._inside if frame.f_code.co_filename.startswith(CODE) else None

    def _inside(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "exception" and not self.first and argument[0].__name__ not in EXPECTED:
            self.first = f"{_told(argument[1], argument[0])} (line {frame.f_lineno})"
        return self._inside


def main() -> None:
    """Serve requests until there are no more."""
    channel = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    reward = json.loads(requests.readline())
    seen = Seen()
    function, greeting = _loaded(reward["file"], reward["function"])
    _say(channel, greeting, seen)
    for line in requests if function else ():
        for call in json.loads(line):
            _say(channel, _reply(function, call), seen)
        _say(channel, {"end": True}, seen)
    sys.stdout.flush()
    sys.stderr.flush()
    channel.flush()
    os._exit(0)  # whatever threads the reward has started


def _say(channel: Any, message: dict[str, Any], seen: Seen) -> None:
    message.update(network=seen.network, files=seen.files)
    channel.write(json.dumps(message) + "\n")


def _loaded(file: str, name: str) -> tuple[Any, dict[str, Any]]:
    """Return the function, imported as a run does it (under its dotted name), and what to say."""
    greeting: dict[str, Any] = {"missing": _missing(), "cases": None, "problem": ""}
    sys.path.insert(0, CODE)
    try:
        module = importlib.import_module(".".join(Path(file).with_suffix("").parts))
        if Path(module.__file__ or "").resolve() != Path(CODE, file).resolve():
            raise ImportError(f"{module.__name__} is {module.__file__}: its name is taken")
        function = getattr(module, name)
    except BaseException as error:
        greeting["problem"] = f"importing it raised {_told(error)}"
        return None, greeting
    cases = getattr(module, "CASES", None)
    try:
        greeting["cases"] = json.loads(json.dumps(cases))
    except (TypeError, ValueError):
        greeting["cases"] = None
    return function, greeting


def _missing() -> list[str]:
    """Return the packages that the bundled files import and that are not here."""
    own = {path.stem for path in Path(CODE).iterdir()}
    names: set[str] = set()
    for path in Path(CODE).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names.add(node.module.partition(".")[0])
    return sorted(name for name in names - own if importlib.util.find_spec(name) is None)


def _reply(function: Callable[..., Any], call: dict[str, Any]) -> dict[str, Any]:
    """Call the reward as trainers do, by the names of verl's arguments."""
    swallowed = Swallowed()
    arguments = {
        name: call[name] for name in ("data_source", "solution_str", "ground_truth", "extra_info")
    }
    if call["traced"]:
        sys.settrace(swallowed)
    start = time.perf_counter()
    try:
        result = function(**arguments)
        if inspect.isawaitable(result):
            result = asyncio.run(_awaited(result))
        score, problem = _score(result)
    except BaseException as error:
        score, problem = None, f"raised {_told(error)}"
    sys.settrace(None)
    seconds = time.perf_counter() - start
    return {"score": score, "problem": problem, "seconds": seconds,
            "swallowed": "" if problem else swallowed.first}  # fmt: skip


async def _awaited(result: Any) -> Any:
    return await result


def _score(result: Any) -> tuple[float | None, str]:
    """Return the number in what was returned, itself or under `score`; else what is wrong."""
    if isinstance(result, dict):
        if "score" not in result:
            return None, "returned a mapping without `score`"
        result = result["score"]
    if result is None or isinstance(result, (str, bytes)):
        return None, f"returned {result!r:.40}, which is no number"
    try:
        score = float(result)
    except (TypeError, ValueError, OverflowError):
        return None, f"returned a {type(result).__name__}, which is no number"
    return (score, "") if math.isfinite(score) else (None, f"returned {score}")


def _told(error: BaseException, kind: Any = None) -> str:
    try:
        text = str(error)
    except Exception:
        text = ""
    return f"{(kind or type(error)).__name__}: {text}"[:LONGEST_MESSAGE]
