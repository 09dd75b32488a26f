# ruff: noqa: E501 - a table reads better in long lines
"""Cases of the rules on places to run, images, tracking and files of scripts."""

from rule_specs import GOOD, SCRIPT, Case, Sound

DIGEST = "sha256:" + "0a" * 32
GPU = "resources: {accelerators: H100:4}"
TORCHRUN = SCRIPT.replace(
    "[python, train.py]", "[torchrun, --nnodes=2, --nproc-per-node, '8', train.py]"
)


def places(*entries: str) -> str:
    return f"resources: {{accelerators: H100:4, candidates: [{', '.join(entries)}]}}"


def kept(*entries: str) -> str:
    return places(*entries).replace("{accelerators", "{keep_cluster: 2h, accelerators")


CASES = [
    Case("resources.spot", "secrets: [HF_TOKEN]", places("{infra: gcp}", "{infra: slurm/lab, spot: true}"), 16, "resources.candidates[1].spot", "Slurm has no preemptible", "delete"),
    Case("resources.spot", "secrets: [HF_TOKEN]", places("{infra: ssh/pool, spot: true}"), 16, "resources.candidates[0].spot", "SSH node pool", "take a cloud"),
    Case("resources.cluster", "secrets: [HF_TOKEN]", places("{infra: k8s/ours, spot: true}"), 16, "resources.candidates[0].spot", "only where the cluster labels", "unless"),
    Case("resources.cluster", "secrets: [HF_TOKEN]", places("{infra: slurm/lab}") + f"\nimage: verlai/verl@{DIGEST}", 16, "resources.candidates[0].infra",
         "Slurm starts `verlai/verl` only where it has Pyxis", "another candidate"),
    Case("resources.infra", "secrets: [HF_TOKEN]", places("{infra: gpc/us-central1}"), 16, "resources.candidates[0].infra", "SkyPilot knows no `gpc`", "`gcp`"),
    Case("resources.infra", "secrets: [HF_TOKEN]", places("{infra: kubernets}"), 16, "resources.candidates[0].infra", "no `kubernets`", "`kubernetes`"),
    Case("resources.accelerators", "secrets: [HF_TOKEN]", GPU.replace("H100", "A100_80GB"), 16, "resources.accelerators", "has no `A100_80GB`", "A100-80GB:4?"),
    Case("resources.accelerators", "secrets: [HF_TOKEN]", GPU.replace("H100", "H1OO"), 16, "resources.accelerators", "has no `H1OO`", "H100:4?"),
    Case("resources.accelerators", "secrets: [HF_TOKEN]", GPU.replace("H100", "NVIDIA-A100-80G"), 16, "resources.accelerators", "has no `NVIDIA-A100-80G`", "A100-80GB:4?"),
    Case("resources.nodes", "[python, train.py]", "[python, train.py, trainer.nnodes=2]", 3, "script.command[2]",
         "the command trains with 2 nodes (`trainer.nnodes`), `resources` asks for 1", "write 1, or let it read `resources` of ROLLBOOK_SPEC", SCRIPT),
    Case("resources.nodes", "steps", "steps", 3, "script.command[1]", "2 nodes (`nnodes`), `resources` asks for 1", "ROLLBOOK_SPEC", TORCHRUN),
    Case("resources.nodes", "nnodes=2", "nnodes=1", 3, "script.command[2]", "8 processes per node (`nproc_per_node`), `resources` asks for 4", "write 4", f"{TORCHRUN}{GPU}\n"),
    Case("resources.approval", "secrets: [HF_TOKEN]", places("{infra: aws, needs_approval: true}", "{infra: gcp}"), 16, "resources.candidates[0].needs_approval", "`aws` comes first, where a run begins", "launch: manual"),
    Case("resources.approval", "secrets: [HF_TOKEN]", places("{infra: aws, needs_approval: true}"), 16, "resources.candidates[0].needs_approval", "`aws` comes first", "put a candidate without it first"),
    Case("resources.keep_one", "secrets: [HF_TOKEN]", kept("{infra: slurm/lab}", "{infra: gcp}"), 16, "resources.candidates[1].infra", "nothing moves on to `gcp`", "leave one candidate"),
    Case("resources.keep", "secrets: [HF_TOKEN]", kept("{infra: verda}"), 16, "resources.candidates[0].infra", "cannot take a cluster of `verda` down after a time", "keep_cluster"),
    Case("resources.keep", "secrets: [HF_TOKEN]", kept("{infra: gcp, spot: true}"), 16, "resources.candidates[0].spot", "nothing starts the run again when `gcp`", "keep_cluster"),
    Case("resources.network", "secrets: [HF_TOKEN]", places("{infra: gcp}", "{infra: lambda}").replace("{acc", "{network: best, acc"), 16, "resources.candidates[1].infra", "`lambda` has one network", "resources.network"),
    Case("resources.volume", "secrets: [HF_TOKEN]", places("{infra: gcp, cache: /cache, volume: weights}"), 16, "resources.candidates[0].volume", "no volumes at `gcp`", "`cache`"),
    Case("resources.volumes", "secrets: [HF_TOKEN]", places("{infra: k8s, cache: /cache, volume: weights}", "{infra: gcp}"), 16, "resources.candidates[1].infra", "once `gcp` is open too, no volume", "everywhere"),
    Case("image.digest", "secrets: [HF_TOKEN]", "image: verlai/verl:latest", 16, "image", "`verlai/verl:latest` is a tag", "verlai/verl:latest@sha256:"),
    Case("image.digest", "secrets: [HF_TOKEN]", "image: verlai/verl@sha256:0a0a", 16, "image", "is a tag", "verlai/verl@sha256:"),
    Case("environment.pinned", "verl==0.9.1", "verl==0.8.0", 2, "trainer", "registry.yaml does not say what verl==0.8.0 runs in", "environments: {verl==0.8.0:", f"{GOOD}{GPU}\n"),
    Case("tracking.offline", "secrets: [HF_TOKEN]", f"tracking: {{wandb: {{project: p}}}}\n{GPU}", 16, "tracking.wandb", "without WANDB_API_KEY", "secrets: [WANDB_API_KEY]"),
    Case("tracking.offline", "[python, train.py]", "[python, train.py, --report_to, wandb]", 3, "script.command[2]", "tracked offline", "add it", f"{SCRIPT}{GPU}\n"),
    Case("script.named", "files: [train.py, lib]", "files: [lib]", 3, "script.command[1]", "`train.py` is not among", "add train.py", SCRIPT),
    Case("script.named", "[train.py, lib]", "[train.py]", 3, "script.command[1]", "`lib/x.py` is not among", "add lib/x.py", SCRIPT.replace("python, train.py", "python, ./lib/x.py")),
]  # fmt: skip

SOUND = [
    Sound("resources.spot", "secrets: [HF_TOKEN]", places("{infra: nebius, spot: true}", "{infra: slurm/lab}")),
    Sound("resources.cluster", "secrets: [HF_TOKEN]", places("{infra: k8s/ours}", "{infra: slurm/lab}")),
    Sound("resources.infra", "secrets: [HF_TOKEN]", places("{infra: GCP/us-central1}", "{infra: k8s}", "{infra: newcloud}", "{infra: '*/us-east-1'}")),
    Sound("resources.accelerators", "secrets: [HF_TOKEN]", GPU.replace("H100", "h100")),
    Sound("resources.accelerators", "secrets: [HF_TOKEN]", GPU.replace("H100", "A100-80GB-PCIE")),
    Sound("resources.accelerators", "secrets: [HF_TOKEN]", GPU.replace("H100", "tpu-v6e-8")),
    Sound("resources.approval", "secrets: [HF_TOKEN]", places("{infra: gcp}", "{infra: aws, needs_approval: true}")),
    Sound("resources.approval", "secrets: [HF_TOKEN]", GPU),
    Sound("resources.keep_one", "secrets: [HF_TOKEN]", kept("{infra: gcp}")),
    Sound("resources.keep_one", "secrets: [HF_TOKEN]", places("{infra: slurm/lab}", "{infra: gcp}")),
    Sound("resources.keep", "secrets: [HF_TOKEN]", kept("{infra: slurm/lab}")),
    Sound("resources.keep", "secrets: [HF_TOKEN]", places("{infra: verda, spot: true}")),
    Sound("resources.network", "secrets: [HF_TOKEN]", places("{infra: gcp}", "{infra: k8s}", "{infra: slurm/lab}").replace("{acc", "{network: best, acc")),
    Sound("resources.network", "secrets: [HF_TOKEN]", places("{infra: lambda}")),
    Sound("resources.volume", "secrets: [HF_TOKEN]", places("{infra: k8s/ours, cache: /cache, volume: weights}", "{infra: slurm/lab, cache: /shared/rollbook}")),
    Sound("resources.volumes", "secrets: [HF_TOKEN]", places("{infra: k8s/a, cache: /c, volume: w}", "{infra: k8s/b, cache: /c, volume: w}")),
    Sound("resources.name", "secrets: [HF_TOKEN]", places("{infra: gcp}")),
    Sound("resources.nodes", "steps", "steps", f"{TORCHRUN}resources: {{accelerators: H100:8, nodes: 2}}\n"),
    Sound("resources.nodes", "per-node, '8'", "per-node, '7'", f"{TORCHRUN}resources: {{accelerators: H100:8, nodes: 2}}\n"),
    Sound("resources.nodes", "--nnodes=2", "--nnodes=1", TORCHRUN),
    Sound("resources.nodes", "--nnodes=2, --nproc-per-node, '8'", "--nnodes=$SKYPILOT_NUM_NODES", TORCHRUN),
    Sound("image.digest", "secrets: [HF_TOKEN]", f"image: verlai/verl:v1@{DIGEST}"),
    Sound("environment.pinned", "secrets: [HF_TOKEN]", GPU),
    Sound("environment.pinned", "verl==0.9.1", "verl==0.8.0"),
    Sound("environment.pinned", "verl==0.9.1", "verl==0.8.0", f"{GOOD}{GPU}\nimage: verlai/verl@{DIGEST}\n"),
    Sound("environment.pinned", "secrets", "secrets", f"{SCRIPT}{GPU}\nsecrets: []\n"),
    Sound("tracking.offline", "secrets: [HF_TOKEN]", "tracking: {wandb: {project: p}}"),
    Sound("tracking.offline", "secrets: [HF_TOKEN]", f"tracking: {{wandb: {{project: p}}}}\nsecrets: [WANDB_API_KEY]\n{GPU}"),
    Sound("script.named", "python, train.py", "python, train.py, reward/sums.py", f"{SCRIPT}reward: reward/sums.py:score\n"),
    Sound("script.named", "python, train.py", "python, -m, lib.x, lib/x.py, other.py, /etc/hosts.txt", SCRIPT),
]  # fmt: skip
