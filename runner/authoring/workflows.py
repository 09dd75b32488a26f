"""The files of a forge that `runner init` writes: workflows, the action that they share, templates.

The workflows are those of this project, unchanged but for three things: which folder holds the
action, the default branch's name, and the names of the variables that registry.yaml speaks of.
"""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path

from runner import __version__
from runner.registry import Registry

ACTION = ".github/actions/rollbook"
NAMES = ("plan", "apply", "sync", "commands")
SPENDING = ("apply", "sync", "commands")
"""Those that launch, and so are given the variables of the runs."""

_OWN_ACTION = "uses: ./  #"
_OWN_INSTALL = '".[all]"'
_OWN_BRANCH = "branches: [main]"
_LAST_VARIABLE = re.compile(r"^( +)ROLLBOOK_WEBHOOK: .*\n", re.MULTILINE)


def forge_files(registry: Registry | None, branch: str) -> dict[str, str]:
    """Return the files by path; `registry` is what registry.yaml says already, if it is there."""
    release = f"rollbook=={__version__}"
    install = f'"rollbook[all]=={__version__}"'
    files = {_path(name): _workflow(name, registry, branch) for name in NAMES}
    return files | {
        f"{ACTION}/action.yml": _template("action.yml").replace(_OWN_INSTALL, install),
        ".github/pull_request_template.md": _template("pull_request_template.md"),
        ".pre-commit-config.yaml": _template("pre-commit-config.yaml").replace("RELEASE", release),
    }


def not_passed(root: Path, registry: Registry) -> dict[str, tuple[str, ...]]:
    """Return, by workflow file, the variables that registry.yaml names and the file does not pass.

    Workflows that are not there are passed over: the registry then launches from elsewhere.
    """
    missing = {}
    for path in map(_path, SPENDING):
        if (root / path).is_file():
            text = (root / path).read_text()
            missing[path] = tuple(n for n in _variables(registry) if f" {n}: " not in text)
    return {path: names for path, names in missing.items() if names}


def expression(name: str, registry: Registry) -> str:
    """Return what a workflow gives a variable: what names no place alone is a secret."""
    secret = name in _secrets(registry) or name == registry.webhook
    return f"${{{{ secrets.{name} }}}}" if secret else f"${{{{ secrets.{name} || vars.{name} }}}}"


def _workflow(name: str, registry: Registry | None, branch: str) -> str:
    text = _template(f"workflows/{name}.yml").replace(_OWN_ACTION, f"uses: ./{ACTION}  #")
    text = text.replace(_OWN_BRANCH, f"branches: [{json.dumps(branch)}]")
    if registry is None:
        return text
    more = [n for n in _variables(registry) if f" {n}: " not in text]
    lines = "".join(f"\\g<1>{n}: {expression(n, registry)}\n" for n in more)
    return _LAST_VARIABLE.sub(f"\\g<0>{lines}", text)


def _variables(registry: Registry) -> tuple[str, ...]:
    webhook = (registry.webhook,) if registry.webhook else ()
    return tuple(dict.fromkeys((*registry.node_variables, *_secrets(registry), *webhook)))


def _secrets(registry: Registry) -> tuple[str, ...]:
    return tuple(name for names in registry.secrets.values() for name in names)


def _path(name: str) -> str:
    return f".github/workflows/{name}.yml"


def _template(name: str) -> str:
    return (resources.files("runner") / "templates" / name).read_text()
