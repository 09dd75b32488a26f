"""The algorithms: one file each, one line each in this union.

Add one: write `runner/algorithms/<name>.py` with a class whose `name` is a Literal, add it here.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from runner.algorithms.dpo import Dpo
from runner.algorithms.grpo import Grpo
from runner.algorithms.sft import Sft

Algorithm = Annotated[Sft | Grpo | Dpo, Field(discriminator="name")]
