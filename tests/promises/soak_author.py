"""Who writes the specs of a soak's registry: new ones, other ones, reverts, renames, deletions."""

from __future__ import annotations

import random
import re
from pathlib import Path

from real_git import commit_files, git

SPEC = """\
apiVersion: rollbook/v1
trainer: script
script: {{command: [python, {file}], files: [{file}]}}
training: {{steps: 8, prompts_per_step: 1, learning_rate: {rate}}}
seeds: [{seeds}]
description: {words}
when_edited: {edited}
{more}"""
CANDIDATES = "resources: {candidates: [{infra: k8s/pool}, {infra: gcp}], wait_per_candidate: 20m}\n"


class Author:
    """A person with a clone, who pushes to the default branch."""

    def __init__(self, folder: Path, files: dict[str, str], choice: random.Random) -> None:
        """Make a repository of `files`, with the programs that the specs name."""
        self._folder, self._choice = folder, choice
        self.versions: dict[str, list[str]] = {}
        """Texts of each experiment's file, the newest last; empty for a deleted one."""
        folder.mkdir(parents=True)
        git(folder, "init", "--quiet", "--template=")
        commit_files(folder, {**files, "train.py": "0\n", "other.py": "0\n"})

    @property
    def names(self) -> list[str]:
        """The experiments that there are."""
        return [name for name in sorted(self.versions) if self.versions[name][-1]]

    def edit(self) -> str:
        """Push a change of one file to the default branch; return it in words."""
        names, there = sorted(self.versions), self.names
        kinds = {
            self._new: 5 if len(there) < 24 else 0,
            self._change: 4,
            self._reword: 2,
            self._revert: 2,
            self._delete: 1,
            self._rename: 1,
            self._change_input: 1,
        }
        [kind] = self._choice.choices(list(kinds), list(kinds.values()))
        if kind in (self._new, self._change_input) or not there:
            told = self._change_input() if kind == self._change_input else self._new()
        else:
            told = kind(self._choice.choice(there if kind != self._revert else names))
        git(self._folder, "add", "--all")
        git(self._folder, "commit", "--quiet", "--allow-empty", "--message", told)
        git(self._folder, "push", "--quiet", "origin", "HEAD:main")
        return told

    def _new(self, name: str = "") -> str:
        name = name or f"x{len(self.versions)}"
        return self._put(name, self._text())

    def _text(self) -> str:
        base = self._choice.randrange(10_000)
        return SPEC.format(
            rate=f"{self._choice.randrange(1, 10_000)}e-7",
            seeds=", ".join(str(base + n) for n in range(self._choice.choice([1, 2, 4, 8]))),
            words="as it was",
            file=self._choice.choice(["train.py", "other.py"]),
            edited=self._choice.choice(["let_finish", "cancel_running"]),
            more=CANDIDATES if self._choice.random() < 0.5 else "",
        )

    def _put(self, name: str, text: str) -> str:
        self.versions.setdefault(name, []).append(text)
        path = self._folder / "experiments" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        if text:
            path.write_text(text)
        else:
            path.unlink(missing_ok=True)
        return f"{name} is {'written' if text else 'deleted'}"

    def _change(self, name: str) -> str:
        return self._put(name, self._text())

    def _reword(self, name: str) -> str:
        words = f"description: number {self._choice.randrange(1000)}"
        return self._put(name, re.sub("description: .*", words, self.versions[name][-1]))

    def _revert(self, name: str) -> str:
        return self._put(name, self._choice.choice(self.versions[name]))

    def _delete(self, name: str) -> str:
        return self._put(name, "")

    def _rename(self, name: str) -> str:
        text = self.versions[name][-1]
        return f"{self._delete(name)}, and {self._put(f'x{len(self.versions)}', text)}"

    def _change_input(self) -> str:
        path = self._folder / self._choice.choice(["train.py", "other.py"])
        path.write_text(f"{self._choice.randrange(10_000)}\n")
        return f"{path.name} is changed"
