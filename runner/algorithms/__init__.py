"""The algorithms: one file each, one line each in this union.

Add one: write `runner/algorithms/<name>.py` with a class whose `name` is a Literal, add it here.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from runner.algorithms.cispo import Cispo
from runner.algorithms.dapo import Dapo
from runner.algorithms.dpo import Dpo
from runner.algorithms.dr_grpo import DrGrpo
from runner.algorithms.gmpo import Gmpo
from runner.algorithms.gpg import Gpg
from runner.algorithms.grpo import Grpo
from runner.algorithms.gspo import Gspo
from runner.algorithms.ppo import Ppo
from runner.algorithms.reinforce_plus_plus import ReinforcePlusPlus
from runner.algorithms.reinforce_plus_plus_baseline import ReinforcePlusPlusBaseline
from runner.algorithms.remax import Remax
from runner.algorithms.rloo import Rloo
from runner.algorithms.sapo import Sapo
from runner.algorithms.sft import Sft

Algorithm = Annotated[
    Sft
    | Ppo
    | Grpo
    | DrGrpo
    | Dapo
    | Gspo
    | Rloo
    | ReinforcePlusPlus
    | ReinforcePlusPlusBaseline
    | Remax
    | Gmpo
    | Cispo
    | Sapo
    | Gpg
    | Dpo,
    Field(discriminator="name"),
]
