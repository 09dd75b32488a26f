"""The places of a run's files before there are any: what a preview of its command shows."""

from __future__ import annotations

from runner.spec.experiment import Experiment
from runner.trainers.base import Layout


def preview_layout(spec: Experiment) -> Layout:
    """Return a layout of `$NAMES`, but for a model that is fetched from a hub by its own name."""
    model = spec.model
    on_hub = model is not None and model.source in ("huggingface", "modelscope")
    sets = spec.data.val if spec.data else {}
    return Layout(
        python="python",
        code="$CODE",
        train="$DATA/train.parquet",
        val={name: f"$DATA/val.{name}.parquet" for name in sets},
        model=model.path if model and on_hub else "$MODEL",
        checkpoints="$CHECKPOINTS",
        metrics="$METRICS",
        config="$CONFIG",
        samples="$SAMPLES",
        inside="$RUNNER/node/inside",
    )
