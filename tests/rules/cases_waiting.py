"""Cases of the rules on what a spec with `launch: manual` may wait for."""

from rule_specs import Case, Sound

DATA = "data: {train: data/a.jsonl"
UNMADE = "data: {train: data/unmade.jsonl"
SECRETS = "secrets: [HF_TOKEN]"

CASES = [
    Case(
        "data.known",
        DATA,
        UNMADE,
        5,
        "data.train",
        "the stage `unmade` makes `data/unmade.jsonl`, and has not run",
        "dvc repro unmade",
    ),
    Case(
        "data.made",
        DATA,
        f"launch: manual\n{UNMADE}",
        6,
        "data.train",
        "the stage `unmade` makes `data/unmade.jsonl`, and has not run",
        "dvc repro unmade",
    ),
    Case(
        "trainer.elsewhere",
        SECRETS,
        "launch: manual\nresources: {nodes: 2}",
        17,
        "resources.nodes",
        "one machine, not 2",
        "another launcher",
    ),
]

SOUND = [
    Sound("data.known", DATA, f"launch: manual\n{UNMADE}"),
    Sound("data.made", DATA, f"launch: manual\n{DATA}"),
    Sound("trainer.elsewhere", SECRETS, "launch: manual\nresources: {nodes: 1}"),
    Sound("trainer.machines", SECRETS, "launch: manual\nresources: {nodes: 2}"),
]
