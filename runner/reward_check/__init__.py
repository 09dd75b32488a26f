"""The reward check tells whether a reward knows right answers from wrong ones, before it costs.

`bundle` collects from a tree what the check needs, without executing any of it; the program in
`inside` then runs the reward with the network cut, here or in a job of its own; `result` reads what
it has written, which is data of unknown origin.
"""

from runner.reward_check.bundle import bundle
from runner.reward_check.result import read_result

__all__ = ["bundle", "read_result"]
