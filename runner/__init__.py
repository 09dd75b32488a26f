"""Rollbook: a GitOps registry of LLM post-training experiments.

Read the package like its flow: `spec` (a file becomes runs with an identity), `plan`, `apply`,
`sync`, `reproduce` (the verbs), `trainers` and `launchers` (what a run becomes), `node` (what runs
where the GPUs are), `ledger` (what is remembered), `report` (what people read).
"""

__version__ = "0.1.0"
