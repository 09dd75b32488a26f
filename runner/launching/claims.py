"""Claims: the intent to launch, on the ledger before anything is submitted."""

from __future__ import annotations

from runner.launchers.base import Launcher
from runner.launching.nonces import new_nonce
from runner.ledger.documents import run_documents
from runner.ledger.draft import Draft
from runner.ledger.record import Attempt, RunRecord, now
from runner.planning.actions import Launchable
from runner.policy.ceilings import Take, expected
from runner.trainers.base import planned_steps


def put_claim(draft: Draft, launcher: Launcher, launchable: Launchable, commit: str) -> None:
    """Put the first attempt of a run, with the documents beside its record, into `draft`."""
    resolved = launchable.resolved
    run = resolved.run
    take = expected(launchable.action, run.spec)
    attempt = claimed(launcher, commit, take, steps=planned_steps(run, None))
    draft.put_record(
        RunRecord(
            run_id=resolved.run_id,
            identity=resolved.identity.digest,
            experiment=run.experiment,
            seed=run.seed,
            point=run.point,
            trainer=run.spec.trainer,
            attempts=(attempt,),
        )
    )
    for path, content in run_documents(
        resolved.run_id, run.spec, resolved.identity.payload
    ).items():
        draft.put(path, content)


def claimed(
    launcher: Launcher, commit: str, take: Take, *, number: int = 1, steps: int | None
) -> Attempt:
    """Return a claim, with what the attempt is expected to take."""
    return Attempt(
        number=number,
        state="claimed",
        nonce=new_nonce(),
        commit=commit,
        launcher=launcher.name,
        endpoint=launcher.endpoint(),
        claimed_at=now(),
        gpus=take.gpus,
        gpu_hours=take.gpu_hours,
        usd=take.usd,
        steps=steps,
    )
