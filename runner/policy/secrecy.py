"""Secrets kept out of what this machine writes where others read it: comments and the ledger.

Nodes blot them out of what runs write; here it is the words of an error, which may be any driver's.
"""

from __future__ import annotations

import os

from runner.node.redaction import Redactor
from runner.registry import Registry

TOKENS = ("GITHUB_TOKEN", "GH_TOKEN", "SKYPILOT_SERVICE_ACCOUNT_TOKEN")


def redactor(registry: Registry) -> Redactor:
    """Return what blots out the value of every variable that registry.yaml names, and tokens."""
    secrets = (name for names in registry.secrets.values() for name in names)
    webhook = (registry.webhook,) if registry.webhook else ()
    named = {*registry.node_variables, *secrets, *webhook, *TOKENS}
    return Redactor(os.environ[name] for name in named if name in os.environ)
