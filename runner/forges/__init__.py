"""The forges: one file each, one line each in this table."""

from __future__ import annotations

from runner.forges.base import Forge
from runner.forges.none import NoForge

FORGES: dict[str, Forge] = {"none": NoForge()}
