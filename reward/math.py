r"""The reward for MATH: 1 if the last \boxed{…} holds an expression equal to the right answer.

The answer is what the last `\boxed{` of the response holds, to its closing brace. Whether it equals
the right answer is decided by math-verify: 0.5 is \frac{1}{2}, \sqrt{18} is 3\sqrt{2}, and
(x+1)^2 is x^2+2x+1. What comes before is not looked at, tags such as <think> mean nothing, and
there is no reward for the form alone.

Where known scorers disagree, this one decides so (`tests/oracles/test_rewards.py` holds it to
verl 0.9.1):

- Equal values in another form are right. verl's `math_reward` compares texts after tidying them up
  and knows only some forms, such as 0.5 for \frac{1}{2}, and not 0.25 for \frac{1}{4}.
- A percent sign does not count (50\% is 50), as in verl; math-verify alone takes them for two.
- `\boxed 5` earns nothing, as `\fbox{5}` and an answer without a box. verl takes the first.
- `\boxed{7, 8}` or `\boxed{7 \text{ or } 8}` is not 7: a list is no guess at one of its members.

math-verify computes with the expressions, and some take it hours or all memory. It therefore works
in a process of its own, which ends itself after CPU_SECONDS of processor time or at MEMORY_BYTES:
an answer that cannot be checked within them is wrong. Processor time does not depend on what else
the machine does, and so neither does the score. Texts that are equal, and whole numbers, are
compared without it. Needs `math-verify` with the antlr4 4.9.3 that hydra has:
`pip install 'math-verify[antlr4_9_3]'`.
"""

import json
import os
import re
import resource
import signal
import subprocess
import sys
from functools import cache
from threading import Lock
from typing import Any

# What a response earns, for the reward check: (response, right answer, score).
CASES: list[tuple[str, str, float]] = [
    (r"So x is \boxed{42}.", "42", 1.0),
    (r"\boxed{ 42 }", "42", 1.0),
    (r"\boxed{41}, no: \boxed{42}", "42", 1.0),
    (r"\boxed{42}, no: \boxed{41}", "42", 0.0),
    (r"\boxed{42}" + "\nSo it is." * 40, "42", 1.0),
    (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}", 1.0),
    (r"\boxed{0.5}", r"\frac{1}{2}", 1.0),
    (r"\boxed{0.25}", r"\frac14", 1.0),
    (r"\boxed{\dfrac{3}{4}}", r"\frac{3}{4}", 1.0),
    (r"\boxed{\sqrt{18}}", r"3\sqrt{2}", 1.0),
    (r"\boxed{x = 5}", "5", 1.0),
    (r"\boxed{50}", r"50\%", 1.0),
    (r"\boxed{90}", r"90^\circ", 1.0),
    (r"\boxed{10,000}", "10000", 1.0),
    (r"\boxed{(x+1)^2}", "x^2+2x+1", 1.0),
    (r"\boxed{\{3, 2, 1\}}", r"\{1,2,3\}", 1.0),
    (r"\boxed{\text{east}}", r"\text{east}", 1.0),
    (r"<think>\boxed{42}</think> \boxed{7}", "42", 0.0),
    ("", "42", 0.0),
    ("42", "42", 0.0),
    (r"\boxed{", "42", 0.0),
    (r"\boxed{}", "42", 0.0),
    (r"\boxed 42", "42", 0.0),
    (r"\fbox{42}", "42", 0.0),
    (r"\boxed{43}", "42", 0.0),
    (r"\boxed{7, 8}", "7", 0.0),
    (r"\boxed{0 7}", "7", 0.0),
    (r"\boxed{7 \text{ or } 8}", "7", 0.0),
    (r"\boxed{(2,1)}", "(1,2)", 0.0),
    (r"\boxed{\text{west}}", r"\text{east}", 0.0),
    (r"\boxed{9^{9^{9^{9}}}}", "42", 0.0),
]

LONGEST_ANSWER = 400
"""Characters of an answer that is checked; a longer one is wrong."""
CPU_SECONDS = 3.0
MEMORY_BYTES = 4 * 2**30

_WHOLE = re.compile(r"-?[0-9]{1,15}")
_NUMBERS = re.compile(r"[0-9]\s+[0-9]")  # math-verify takes "0 1" for 1


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: dict[str, Any] | None = None,
) -> float:
    r"""1.0 if the last \boxed{…} equals the right answer, else 0.0.

    The arguments are verl's; the source of the row and its extra information do not matter.
    Raises RuntimeError where math-verify is missing: no answer could be told right then.
    """
    given, right = tidy(last_boxed(solution_str)), tidy(ground_truth)
    if not given or len(given) > LONGEST_ANSWER:
        return 0.0
    if given == right:
        return 1.0
    if _WHOLE.fullmatch(given) and _WHOLE.fullmatch(right):
        return float(int(given) == int(right))
    if _NUMBERS.search(given):
        return 0.0
    return float(checker(os.getpid()).equal(right, given))


def last_boxed(response: str) -> str:
    r"""What the last "\boxed{" holds, braces balanced; "" without one or its closing brace."""
    _, found, rest = response.rpartition(r"\boxed{")
    depth = 1
    for end, character in enumerate(rest if found else ""):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return rest[:end]
    return ""


def tidy(answer: str) -> str:
    """The answer without blanks around it and without a percent sign at its end."""
    return answer.strip().removesuffix("%").removesuffix("\\").rstrip()


class Checker:
    """math-verify in a process that is started when needed, also after it ended itself."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._process: subprocess.Popen[str] | None = None
        self._lock = Lock()

    def equal(self, right: str, given: str) -> bool:
        """Whether two LaTeX expressions are equal; False if that takes too much to find out."""
        with self._lock:
            process = self._process = self._process or start()
            reply = ask(process, json.dumps([right, given]))
            if not reply:  # it has ended itself
                process.communicate()
                self._process = None
            return reply == "true\n"


@cache
def checker(process: int) -> Checker:
    """The checker of a process; a forked one gets its own."""
    return Checker()


def start() -> "subprocess.Popen[str]":
    """Run this file as a program, and return it when it is ready to answer.

    -P keeps the folder of this file, which has the name of a module of Python, off the path.
    """
    process = subprocess.Popen(  # ends with its standard input, that is with this process
        [sys.executable, "-P", __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONHASHSEED": "0"},
    )
    reply = ask(process, json.dumps(["1", "1.0"]))
    if reply != "true\n":
        process.communicate()
        raise RuntimeError(f"math-verify does not work with {sys.executable}: {reply.strip()}")
    return process


def ask(process: "subprocess.Popen[str]", question: str) -> str:
    """The reply to one question, a line; "" if the process has ended."""
    if process.stdin is None or process.stdout is None:
        raise ValueError("the process has no pipes")
    try:
        process.stdin.write(question + "\n")
        process.stdin.flush()
    except BrokenPipeError:
        return ""
    return process.stdout.readline()


def serve() -> None:
    """Answer questions, one JSON list [right answer, given answer] a line, until the input ends."""
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    limit = MEMORY_BYTES if most == resource.RLIM_INFINITY else min(MEMORY_BYTES, most)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    try:
        from math_verify import LatexExtractionConfig, parse, verify
    except ImportError as error:
        print(error, flush=True)
        return
    latex = [LatexExtractionConfig()]
    for line in sys.stdin:
        # The signal ends the process, also in the midst of a multiplication of huge numbers.
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        try:
            right, given = (
                parse(f"\\boxed{{{text}}}", latex, parsing_timeout=None)
                for text in json.loads(line)
            )
            equal = bool(verify(right, given, timeout_seconds=None))
        except Exception:  # what cannot be read is not equal
            equal = False
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps(equal), flush=True)


if __name__ == "__main__":
    serve()
