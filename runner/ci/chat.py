"""What a comment asks for: `/runner <verb> [name]` on its first line, and nothing else."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from runner.errors import Refused
from runner.spec.experiment import NAME

Verb = Literal["launch", "rerun", "retry", "cancel", "try", "help"]
VERBS: dict[Verb, str] = {
    "launch": "starts an experiment that is held (what is over a ceiling: owners only)",
    "rerun": "starts an experiment that is stale: its data, reward or base has changed",
    "retry": "gives a run that has ended another attempt, from its last checkpoint",
    "cancel": "stops a run that goes on",
    "try": "trains two steps of an experiment of this pull request; nothing is recorded",
    "help": "lists this",
}
"""Each verb with what it does, as the answer to `/runner help` says it."""

_COMMAND = re.compile(r"/runner(?:[ \t]+(\S+))?(?:[ \t]+(\S+))?[ \t]*")


class Command(NamedTuple):
    """What somebody asks for."""

    verb: Verb
    name: str
    """An experiment or run; empty for help."""


def parse(body: str) -> Command | None:
    """Return the command of a comment; None where it is not addressed to the runner.

    Raises Refused, with what there is, for a command that is not understood.
    """
    first = body.lstrip("\ufeff").splitlines()[0].rstrip() if body.strip() else ""
    if first != "/runner" and not first.startswith(("/runner ", "/runner\t")):
        return None
    match = _COMMAND.fullmatch(first)
    verb = next((one for one in VERBS if match and one == (match[1] or "help")), None)
    if match is None or verb is None:
        raise Refused("this command is not known", cure="/runner help")
    name = match[2] or ""
    if verb == "help":
        return Command("help", "")
    if not NAME.fullmatch(name):
        raise Refused(f"/runner {verb} needs the name of an experiment or run", cure="/runner help")
    return Command(verb, name)
