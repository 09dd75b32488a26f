"""Rules on secrets: a spec is committed, so it names them and never holds one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from runner.findings import Finding, Mark
from runner.rules.base import Subject
from runner.spec.node import Node, Path, dotted


class Kind(NamedTuple):
    """A form of secrets."""

    pattern: str
    what: str
    name: str
    """A name that a secret of this kind usually has."""


KINDS = {
    "huggingface": Kind(r"\bhf_[A-Za-z0-9]{30,}", "a Hugging Face token", "HF_TOKEN"),
    "openai": Kind(
        r"(?<![A-Za-z0-9-])sk-(?=[\w-]*\d)(?=[\w-]*[A-Z])[\w-]{20,}",
        "an API key",
        "OPENAI_API_KEY",
    ),
    "aws": Kind(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", "an AWS access key", "AWS_ACCESS_KEY_ID"),
    "github": Kind(
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,})", "a GitHub token", "GH_TOKEN"
    ),
    "gitlab": Kind(r"\bglpat-[\w-]{20,}", "a GitLab token", "GITLAB_TOKEN"),
    "google": Kind(r"\bAIza[\w-]{35}", "a Google API key", "GOOGLE_API_KEY"),
    "slack": Kind(r"\bxox[abprs]-[\w-]{10,}", "a Slack token", "SLACK_TOKEN"),
    "private": Kind(r"-----BEGIN [A-Z ]*PRIVATE KEY-----", "a private key", "PRIVATE_KEY"),
    "url": Kind(r"(?<=://)[^/\s:@$]+:[^/\s@$]+(?=@)", "a password in a URL", "PASSWORD"),
    "wandb": Kind(
        r"\bwandb_v\d_\w{30,}|(?i:wandb)[^\n]{0,24}?[=:\s\"']\s*[\"']?[0-9a-f]{40}\b",
        "a W&B key",
        "WANDB_API_KEY",
    ),
    "said": Kind(
        r"(?i:(?:api_?key|secret_?key|access_?token|auth_?token|password|passwd)[\"']?\s*[=:]\s*"
        r"[\"']?(?=[\w+/=-]*\d)(?=[\w+/=-]*[a-z])[\w+/=-]{16,})",
        "a key or password",
        "API_KEY",
    ),
}
"""Forms by what they are; a commit's or a digest's hexadecimal digits alone are none."""

_TRACES = (
    *("hf_", "sk-", "akia", "asia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    *("glpat-", "aiza", "xox", "private key", "://", "wandb", "apikey", "api_key", "secretkey"),
    *("secret_key", "accesstoken", "access_token", "authtoken", "auth_token", "passw"),
)
"""In small letters, one of these stands in every line that has a secret: most have none."""


@cache
def _any() -> re.Pattern[str]:
    return re.compile("|".join(f"(?P<{name}>{kind.pattern})" for name, kind in KINDS.items()))


def in_plain_text(subject: Subject) -> Iterator[Finding]:
    """No secret stands in a spec, not even in a comment: it is committed, copied and shown."""
    for path in sorted(_files(subject.marks.root)):
        text = (subject.context.tree.read(path) or b"").decode(errors="replace")
        small = text.lower()
        if not any(trace in small for trace in _TRACES):
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            small = line.lower()
            if any(trace in small for trace in _TRACES) and (match := _any().search(line)):
                yield _finding(subject, Mark(path, number, match.start() + 1), match)


def _finding(subject: Subject, mark: Mark, match: re.Match[str]) -> Finding:
    kind = KINDS[match.lastgroup or ""]
    key = dotted(_key_on(subject.marks.root, mark, ()))
    message = f"{kind.what} stands here in plain text, for everyone who can read the repository"
    cure = f"revoke it, and name its successor instead: secrets: [{kind.name}]"
    return Finding(*mark, key, "", "error", message, cure)


def _files(node: Node) -> set[str]:
    """Return the files that the values of a spec stand in."""
    found = {node.mark.path}
    for below in _below(node):
        found |= _files(below)
    return found


def _below(node: Node) -> list[Node]:
    if isinstance(node.value, dict):
        return list(node.value.values())
    return node.value if isinstance(node.value, list) else []


def _key_on(node: Node, mark: Mark, path: Path) -> Path:
    """Return the path of the last value that begins at or before `mark`; the file for a comment."""
    children = node.value if isinstance(node.value, dict | list) else {}
    items = children.items() if isinstance(children, dict) else enumerate(children)
    found = path
    for part, below in items:
        start = below.key_mark
        if start.path == mark.path and (start.line, start.column) <= (mark.line, mark.column):
            found = _key_on(below, mark, (*path, part))
    return found
