"""Accelerators by the names that SkyPilot gives them.

Memory: the catalogs of SkyPilot (skypilot-org/skypilot-catalog, v8: nebius at 0082b043, lambda at
0f407038; v7: common/metadata.csv at 5e302483), in GiB. What a GPU reports is up to 8 % less where
error correction takes its part: the number is an upper bound.

Peak: dense bf16 operations a second, of the manufacturer's data sheets, as verl 0.9.1 lists them
(verl/utils/flops_counter.py) where it does. Bandwidth: of the data sheets.
"""

from __future__ import annotations

from typing import NamedTuple


class Gpu(NamedTuple):
    """One accelerator."""

    memory_gib: float
    peak_tflops: float
    """Dense bf16."""
    bandwidth_tb: float
    """Memory, in 10^12 bytes a second."""


GPUS: dict[str, Gpu] = {
    "A10": Gpu(24, 125, 0.6),
    "A100": Gpu(40, 312, 1.555),
    "A100-80GB": Gpu(80, 312, 2.039),
    "A100-80GB-SXM": Gpu(80, 312, 2.039),
    "A10G": Gpu(24, 70, 0.6),
    "A40": Gpu(48, 149.7, 0.696),
    "A6000": Gpu(48, 154.8, 0.768),
    "B200": Gpu(180, 2250, 8.0),
    "GH200": Gpu(96, 989, 4.0),
    "H100": Gpu(80, 989, 3.35),
    "H100-SXM": Gpu(80, 989, 3.35),
    "H200": Gpu(141, 989, 4.8),
    "H200-SXM": Gpu(141, 989, 4.8),
    "L4": Gpu(24, 121, 0.3),
    "L40": Gpu(48, 181.05, 0.864),
    "L40S": Gpu(48, 362.05, 0.864),
    "V100": Gpu(16, 125, 0.9),
    "V100-32GB": Gpu(32, 125, 0.9),
}


def find(accelerators: str | None) -> Gpu | None:
    """Return the accelerator of `H100:8`; None without one, or for one that is not listed.

    Letters may be small, as SkyPilot takes them.
    """
    return _BY_NAME.get(_name(accelerators)) if accelerators else None


def name_of(accelerators: str) -> str:
    """Return how GPUS spells the accelerator of `h100:8`; as it is written where it is unknown."""
    written = accelerators.rsplit(":", 1)[0]
    return next((name for name in GPUS if name.upper() == written.upper()), written)


def _name(accelerators: str) -> str:
    return accelerators.rsplit(":", 1)[0].upper()


_BY_NAME = {name.upper(): gpu for name, gpu in GPUS.items()}
