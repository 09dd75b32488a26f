"""Lets verl 0.9.1 train on a machine without an accelerator.

verl imports this module in each of its processes (VERL_USE_EXTERNAL_MODULES) and picks the
platform registered here (VERL_PLATFORM=cpu). The wheel knows nvidia, npu and rocm only, and without
a platform falls back to nvidia, which asks for NCCL even with `trainer.device=cpu`.

The patches at the end answer three places of verl where an accelerator is taken for granted;
paths are relative to the installed package.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
import torch.distributed
from verl.plugin.platform import PlatformBase, PlatformRegistry
from verl.utils import import_utils


class CpuModule(ModuleType):
    """`torch.cpu`, and the calls of `torch.cuda` that verl makes on its device module."""

    def __getattr__(self, name: str) -> Any:
        return getattr(torch.cpu, name)

    def is_available(self) -> bool:
        return False  # asked by code that would go on to use CUDA

    def device_count(self) -> int:
        return 1

    def current_device(self) -> str:
        return "cpu"

    def get_device_name(self, *_: Any) -> str:
        return "cpu"

    def set_device(self, *_: Any) -> None: ...
    def synchronize(self, *_: Any) -> None: ...
    def empty_cache(self) -> None: ...
    def ipc_collect(self) -> None: ...
    def reset_peak_memory_stats(self, *_: Any) -> None: ...
    def set_per_process_memory_fraction(self, *_: Any) -> None: ...

    def memory_allocated(self, *_: Any) -> int:
        return 0  # bytes; torch does not count what it allocates on a CPU

    memory_reserved = max_memory_allocated = max_memory_reserved = memory_allocated

    def mem_get_info(self, *_: Any) -> tuple[int, int]:
        """Bytes of memory (free, in all) of the machine."""
        page = os.sysconf("SC_PAGE_SIZE")
        return page * os.sysconf("SC_AVPHYS_PAGES"), page * os.sysconf("SC_PHYS_PAGES")

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    manual_seed_all = manual_seed

    def get_rng_state(self, *_: Any) -> torch.Tensor:
        return torch.random.get_rng_state()

    def set_rng_state(self, state: torch.Tensor, *_: Any) -> None:
        torch.random.set_rng_state(state)


@PlatformRegistry.register(platform="cpu")
class CpuPlatform(PlatformBase):
    """The members of verl/plugin/platform/platform_base.py, for a CPU."""

    device_name = "cpu"
    vendor_name = "cpu"
    device_module = CpuModule("torch.cpu")

    def is_available(self) -> bool:
        return True

    def current_device(self) -> str:
        return "cpu"  # used as a torch device, where an index would mean an accelerator

    def device_count(self) -> int:
        return 1

    def set_device(self, device_index: int) -> None: ...
    def synchronize(self, device_index: int | None = None) -> None: ...
    def set_allocator_settings(self, settings: str) -> None: ...
    def empty_cache(self) -> None: ...
    def profiler_start(self) -> None: ...
    def profiler_stop(self) -> None: ...
    def cudart(self) -> None: ...

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    manual_seed_all = manual_seed

    def get_device_capability(self, device_index: int = 0) -> tuple[None, None]:
        return None, None

    def communication_backend_name(self) -> str:
        return "gloo"

    def visible_devices_envvar(self) -> str:
        return "CUDA_VISIBLE_DEVICES"

    @contextmanager
    def nvtx_range(self, msg: str) -> Iterator[None]:
        yield

    def ray_resource_name(self) -> str:
        # verl reserves one "GPU" per training process: Ray is started with as many pretended ones.
        return "GPU"

    def ray_noset_envvars(self) -> list[str]:
        return []

    def is_ipc_supported(self) -> bool:
        return False  # weights then go to the rollout through /dev/shm


def patch_process_group() -> None:
    """Ask torch for gloo once, and then prepare for a model.

    verl/utils/distributed.py builds "cpu:gloo,<device>:<backend>", here "cpu:gloo,cpu:gloo", which
    torch refuses as a duplicate. The processes that hold a model are those that open a group; the
    other patches wait for it, as what they import costs each process half a second.
    """
    original = torch.distributed.init_process_group

    def init_process_group(backend: str | None = None, *args: Any, **kwargs: Any) -> None:
        backend = "cpu:gloo" if backend == "cpu:gloo,cpu:gloo" else backend
        original(backend, *args, **kwargs)
        patch_critic_attention()
        patch_reference_offload()

    torch.distributed.init_process_group = init_process_group
    torch.distributed.distributed_c10d.init_process_group = init_process_group


def patch_critic_attention() -> None:
    """Load a critic with PyTorch's attention.

    verl/utils/model.py (load_valuehead_model) asks for flash-attn whatever the configuration says.
    """
    from transformers import AutoModelForTokenClassification

    original = AutoModelForTokenClassification.from_pretrained.__func__

    def from_pretrained(cls: type, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("attn_implementation") == "flash_attention_2":
            kwargs["attn_implementation"] = "sdpa"
        return original(cls, *args, **kwargs)

    AutoModelForTokenClassification.from_pretrained = classmethod(from_pretrained)


def patch_reference_offload() -> None:
    """Offload the reference model to ordinary memory.

    verl/workers/engine/fsdp/transformer_impl.py asks for pinned memory, which takes an accelerator.
    """
    from torch.distributed.fsdp import CPUOffloadPolicy

    original = CPUOffloadPolicy.__init__

    def init(self: Any, pin_memory: bool = True) -> None:
        original(self, pin_memory=False)

    CPUOffloadPolicy.__init__ = init


def patch_trl() -> None:
    """Let verl think that there is no TRL.

    Where it finds one, verl/models/transformers/monkey_patch.py patches TRL's value-head model,
    which TRL 1.16 no longer has where verl 0.9.1 looks for it. Both trainers are in the environment
    for a CPU; nothing that we ask of verl uses TRL.
    """
    import_utils.is_trl_available = lambda: False


patch_process_group()
patch_trl()
