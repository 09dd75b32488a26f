"""What SkyPilot says that nodes cost, kept on the ledger for plans that cannot ask it.

Asked is the API server, once for each place and accelerator that a spec names: for clouds its
catalogs, for Kubernetes and Slurm the `pricing` of its configuration. Not known are machines
without accelerators, and places where nobody has set a price.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from runner.errors import RunnerError
from runner.forecast import gpus
from runner.launchers.skypilot.client import Client
from runner.launchers.skypilot.records import Offer
from runner.ledger.branch import Snapshot
from runner.ledger.draft import Changes, Draft
from runner.ledger.prices import PATH, PriceList, Quote, read_prices
from runner.ledger.record import now
from runner.spec.check import load_experiments
from runner.spec.infra import is_within, parts_of, write_infra
from runner.spec.resources import Resources
from runner.spec.tree import WorkTree
from runner.workspace import Workspace

EVERY = timedelta(days=1)
AGAIN_SECONDS = 3600.0
"""Until the next try of a clone whose last one came to nothing."""
DEADLINE = 120.0
"""For all questions together."""
BY_CONFIGURATION = frozenset({"k8s", "slurm"})
"""Where a price is set per accelerator, so that it holds for any number of them
(get_hourly_cost_from_pricing in sky/catalog/common.py, SkyPilot 0.14.1)."""
_NAMES = {"k8s": "kubernetes"}

_LOG = logging.getLogger(__name__)


class Question(NamedTuple):
    """What a price is asked for."""

    infra: str
    """Empty: anywhere."""
    accelerators: str


def keep_prices(workspace: Workspace, endpoint: str) -> None:
    """Ask for the prices of what the specs name and keep them, where the kept ones are a day old.

    Best effort: what goes wrong is logged, and tried again later.
    """
    tried = workspace.state / "prices-tried"
    if not _is_due(workspace.ledger.snapshot()) or _is_recent(tried):
        return
    tried.parent.mkdir(parents=True, exist_ok=True)
    tried.touch()
    try:
        loaded = load_experiments(WorkTree(workspace.root)).experiments
        specs = (run.spec.resources for experiment in loaded for run in experiment.runs)
        if asked := questions(specs):
            fresh = PriceList(taken_at=now(), endpoint=endpoint, prices=ask(Client(), asked))
            workspace.ledger.transact(lambda newest: _put(newest, fresh))
    except RunnerError as error:
        _LOG.info("no prices from SkyPilot: %s", error.message)


def _put(newest: Snapshot, fresh: PriceList) -> Changes:
    draft = Draft(newest)
    if _is_due(newest):  # else somebody else was faster
        draft.put(PATH, fresh.to_json())
    return draft.changes("Prices by SkyPilot")


def _is_due(snapshot: Snapshot) -> bool:
    kept = read_prices(snapshot)
    return kept is None or datetime.now(UTC) - datetime.fromisoformat(kept.taken_at) >= EVERY


def _is_recent(tried: Path) -> bool:
    return tried.exists() and time.time() - tried.stat().st_mtime < AGAIN_SECONDS


def questions(specs: Iterable[Resources]) -> tuple[Question, ...]:
    """Return what the prices of `specs` are asked for, each once."""
    found = (
        Question(infra, one.accelerators)
        for one in specs
        if one.accelerators
        for infra in ([candidate.infra for candidate in one.candidates] or [""])
    )
    return tuple(dict.fromkeys(found))


def ask(client: Client, asked: Iterable[Question]) -> tuple[Quote, ...]:
    """Return the prices that `client` knows of what is `asked`.

    A place that cannot be asked has none. Raises OutsideError when no question was answered.
    """
    deadline = time.monotonic() + DEADLINE
    answers: list[tuple[Quote, ...]] = []
    failure: RunnerError | None = None
    for question in _in_enabled_clouds(client, asked):
        left = deadline - time.monotonic()
        try:
            if left > 0:
                answers.append(_answer(client, question, left))
        except RunnerError as error:
            failure = error
            _LOG.info("no price for %s: %s", " on ".join(reversed(question)), error.message)
    if failure is not None and not answers:
        raise failure
    return tuple(dict.fromkeys(quote for quotes in answers for quote in quotes))


def _in_enabled_clouds(client: Client, asked: Iterable[Question]) -> Iterator[Question]:
    """Yield the questions, those for any place once for each cloud that the server may use."""
    for question in asked:
        if question.infra:
            yield question
            continue
        clouds = {parts_of(place)[0] for place in client.about().places}
        yield from (question._replace(infra=cloud) for cloud in sorted(clouds))


def _answer(client: Client, question: Question, seconds: float) -> tuple[Quote, ...]:
    cloud, *rest = (None if part == "*" else part for part in parts_of(question.infra))
    name, count = gpus.name_of(question.accelerators), int(question.accelerators.rpartition(":")[2])
    by_configuration = cloud in BY_CONFIGURATION
    # A context's name may have slashes in it.
    region = "/".join(filter(None, rest)) if cloud == "k8s" else next(iter(rest), None)
    number = 1 if by_configuration else count
    found = client.offers(_NAMES.get(str(cloud), str(cloud)), region or None, name, number, seconds)
    each = [one for one in found if one.accelerators == number]
    return tuple(_quotes(each, question, region, count / number))


def _quotes(
    offers: Iterable[Offer], question: Question, region: str | None, factor: float
) -> Iterator[Quote]:
    """Yield the cheapest price in each region, on demand and spot.

    SkyPilot takes the cheapest machine of a region that it can get.
    """
    cheapest: dict[tuple[str, bool], float] = {}
    for offer in offers:
        for spot, price in ((False, offer.price), (True, offer.spot_price)):
            if price > 0:  # neither nothing nor no number
                place = _place(question.infra, region, offer.region)
                usd = float(price) * factor
                # Of partitions that it does not tell apart, the dearest.
                choose = min if "/" in place else max
                cheapest[place, spot] = choose(cheapest.get((place, spot), usd), usd)
    for (place, spot), usd in sorted(cheapest.items()):
        quote = Quote(
            infra=place,
            accelerators=question.accelerators,
            spot=spot,
            usd_per_hour=round(usd, 4),
        )
        if is_within(place, question.infra) or is_within(question.infra, place):
            yield quote


def _place(infra: str, region: str | None, answered: str) -> str:
    """Return the place of an answer; of Slurm it names the partition alone."""
    cloud = parts_of(infra)[0]
    if cloud == "slurm":  # it marks the default partition with a star, as sinfo does
        return write_infra(cloud, region, answered.rstrip("*")) if region else cloud
    return write_infra(cloud, answered)
