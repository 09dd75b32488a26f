"""The trainers: one file each, one line each in this table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from runner.trainers.base import Trainer


class Trainers(Mapping[str, Trainer]):
    """Trainers by name, each loaded when it is asked for: most registries use one."""

    def __init__(self, **places: str) -> None:
        """Take `<module>:<class>` of each."""
        self._places = places
        self._made: dict[str, Trainer] = {}

    def __getitem__(self, name: str) -> Trainer:
        """Return the trainer `name`; raises KeyError where there is none."""
        if name not in self._made:
            module, _, kind = self._places[name].partition(":")
            self._made[name] = getattr(import_module(f"runner.trainers.{module}"), kind)()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self._places)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._places)


TRAINERS = Trainers(
    verl="verl:VerlTrainer",
    skyrl="skyrl:SkyrlTrainer",
    trl="trl:TrlTrainer",
    script="script:ScriptTrainer",
)
