"""The git side of the stand-in: bare repositories, changed without a work tree."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

SETTINGS = """\
[http]
    receivepack = true
[uploadpack]
    allowFilter = true
    allowAnySHA1InWant = true
[receive]
    # Fetched by everybody, written by GitHub alone.
    hideRefs = refs/pull
    autogc = false
[gc]
    auto = 0
"""


def _environment(author: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG") if name in os.environ}
    return kept | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": author,
        "GIT_AUTHOR_EMAIL": f"{author}@users.noreply.invalid",
        "GIT_COMMITTER_NAME": "GitHub",
        "GIT_COMMITTER_EMAIL": "noreply@github.invalid",
    }


def run_git(
    folder: Path, *arguments: str, author: str = "GitHub", stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run git in the bare repository `folder`, whatever it answers."""
    return subprocess.run(
        ["git", f"--git-dir={folder}", *arguments],
        input=stdin,
        env=_environment(author),
        check=False,
        capture_output=True,
        timeout=120,
    )


def bare_git(folder: Path, *arguments: str, author: str = "GitHub", stdin: bytes = b"") -> str:
    """Run git in the bare repository `folder` and return what it prints."""
    done = run_git(folder, *arguments, author=author, stdin=stdin)
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr.decode()}"
    return done.stdout.decode().strip()


def make_bare(folder: Path, source: Path | str | None = None) -> None:
    """Make a bare repository served as GitHub serves it, with the branches of `source`."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    bare_git(folder, "init", "--quiet", "--bare", "--initial-branch=main")
    if source is not None:
        bare_git(folder, "fetch", "--quiet", str(source), "+refs/heads/*:refs/heads/*")
    with (folder / "config").open("a") as config:
        config.write(SETTINGS)


def commit_of(folder: Path, name: str) -> str | None:
    """Return the commit that `name` stands for, or None."""
    done = run_git(
        folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
    )
    return done.stdout.decode().strip() if done.returncode == 0 else None


def is_ancestor(folder: Path, ancestor: str, commit: str) -> bool:
    return run_git(folder, "merge-base", "--is-ancestor", ancestor, commit).returncode == 0


def commits_between(folder: Path, before: str, after: str) -> frozenset[str]:
    """Return the commits that are in the history of `after` and not of `before`."""
    return frozenset(bare_git(folder, "rev-list", f"{before}..{after}").split())


def commit_to(
    folder: Path,
    branch: str,
    parent: str | None,
    files: Mapping[str, str | bytes | None],
    **about: str,
) -> str:
    """Commit `files` (path to content, None to delete) on top of `parent`, if there is one.

    `about` is `message` and `author`. Returns the commit.
    """
    author, message = about["author"], about["message"].encode()
    lines = [
        f"commit refs/heads/{branch}\n".encode(),
        f"author {author} <{author}@users.noreply.invalid> now\n".encode(),
        f"committer {author} <{author}@users.noreply.invalid> now\n".encode(),
        b"data %d\n%b\n" % (len(message), message),
        f"from {parent}\n".encode() if parent else b"",
    ]
    for path, content in files.items():
        quoted = '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        if content is None:
            lines.append(f"D {quoted}\n".encode())
            continue
        data = content.encode() if isinstance(content, str) else content
        lines.append(f"M 100644 inline {quoted}\n".encode() + b"data %d\n%b\n" % (len(data), data))
    stream = b"".join(lines)
    bare_git(folder, "fast-import", "--quiet", "--force", "--date-format=now", stdin=stream)
    return bare_git(folder, "rev-parse", f"refs/heads/{branch}")


def merge_commit(folder: Path, base: str, head: str, message: str, author: str) -> str | None:
    """Return a merge of two commits, made but on no branch; None where they conflict."""
    done = run_git(folder, "merge-tree", "--write-tree", base, head)
    if done.returncode != 0:
        return None
    tree = done.stdout.decode().split()[0]
    parents = ("-p", base, "-p", head)
    return bare_git(folder, "commit-tree", tree, *parents, "-m", message, author=author)


def squash_commit(folder: Path, base: str, merged: str, message: str, author: str) -> str:
    """Return a commit on `base` with the files of the merge `merged`."""
    tree = f"{merged}^{{tree}}"
    return bare_git(folder, "commit-tree", tree, "-p", base, "-m", message, author=author)
