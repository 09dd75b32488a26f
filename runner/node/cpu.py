"""What a trainer needs to run on a machine without an accelerator.

Two modules of `runner/node/inside` are loaded by the trainer's own processes: a platform for verl,
named in the environment, and a plug-in for vLLM, which finds plug-ins by the metadata of installed
packages. The training environment stays as its lock says; the metadata is generated into a folder
of the run and put on PYTHONPATH.
"""

import os
from collections.abc import Mapping
from email.parser import HeaderParser
from pathlib import Path

INSIDE = Path(__file__).parent / "inside"

# verl has no FSDP engine registered for a CPU; the one for CUDA is neutral as to the device
# (verl/workers/engine/base.py, get_engine_cls).
VERL = {
    "VERL_USE_EXTERNAL_MODULES": "rollbook_verl_cpu",
    "VERL_PLATFORM": "cpu",
    "VERL_ENGINE_DEVICE": "cuda",
    "VERL_ENGINE_VENDOR": "nvidia",
}
VLLM = {
    "VLLM_TARGET_DEVICE": "cpu",
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB for keys and values, the least one can say
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # cores are shared with the training process
    "VLLM_NO_USAGE_STATS": "1",
}
THREADS = {
    # One, not one per core: a dozen processes share the cores, and the order in which a sum is
    # formed, hence the last digit of a result, depends on the number of threads.
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


def environment(folder: Path, train_python: Path) -> dict[str, str]:
    """Variables for a trainer on a CPU; generates the packages' metadata into `folder`.

    `train_python` is the interpreter of the training environment. PYTHONPATH holds only what is
    needed here, for the caller to join with its own. Raises FileNotFoundError if the training
    environment has no vllm-cpu.
    """
    write_plugin_metadata(folder)
    write_vllm_metadata(folder, vllm_version(train_python))
    return {**VERL, **VLLM, **THREADS, "PYTHONPATH": f"{INSIDE}{os.pathsep}{folder}"}


def write_plugin_metadata(folder: Path) -> None:
    """A package whose entry point makes vLLM call `rollbook_vllm_cpu.register`."""
    package = write_metadata(folder, "rollbook-vllm-cpu", "1.0")
    entry = "[vllm.general_plugins]\nrollbook_vllm_cpu = rollbook_vllm_cpu:register\n"
    (package / "entry_points.txt").write_text(entry)


def write_vllm_metadata(folder: Path, version: str) -> None:
    """Present vllm-cpu under the name vllm.

    verl asks for the version of "vllm" (verl/third_party/vllm/__init__.py), and vLLM recognises a
    build for the CPU by its version's suffix (vllm/platforms/__init__.py).
    """
    write_metadata(folder, "vllm", f"{version}+cpu")


def write_metadata(folder: Path, name: str, version: str) -> Path:
    """The least that `importlib.metadata` takes for an installed package."""
    package = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    package.mkdir(parents=True, exist_ok=True)
    fields: Mapping[str, str] = {"Metadata-Version": "2.1", "Name": name, "Version": version}
    (package / "METADATA").write_text("".join(f"{key}: {fields[key]}\n" for key in fields))
    return package


def vllm_version(train_python: Path) -> str:
    """The version of vllm-cpu in the training environment, read from its metadata."""
    # Not resolved: bin/python of a virtual environment is a link to the base interpreter.
    environment_folder = train_python.absolute().parent.parent
    found = sorted(environment_folder.glob("lib/python3*/site-packages/vllm_cpu-*.dist-info"))
    if not found:
        raise FileNotFoundError(f"no vllm-cpu in the training environment {environment_folder}")
    return str(HeaderParser().parsestr((found[-1] / "METADATA").read_text())["Version"])
