"""Places as SkyPilot writes them, and which of them lies within which."""

import json

import pytest

from runner.spec.infra import CLUSTER_INFO, is_within, place_of, write_infra


@pytest.mark.parametrize(
    ("place", "infra", "expected"),
    [
        ("gcp/us-central1/us-central1-a", "gcp", True),
        ("gcp/us-central1", "gcp/us-central1", True),
        ("gcp", "gcp/us-central1", False),
        ("gcp/us-central1", "gcp/us-central", False),
        ("gcp2/us", "gcp", False),
        ("k8s/pool", "kubernetes/pool", True),
        ("K8s/pool", "k8s", True),
        ("aws/us-east-1/us-east-1a", "aws/*/us-east-1a", True),
        ("aws/us-east-1/us-east-1b", "aws/*/us-east-1a", False),
        ("", "gcp", False),
        ("gcp", "", False),
    ],
)
def test_a_place_is_within_its_wholes(place: str, infra: str, expected: bool) -> None:
    assert is_within(place, infra) is expected


@pytest.mark.parametrize(
    ("told", "place"),
    [
        ({"cloud": "Slurm", "region": "lab", "zone": "gpu"}, "slurm/lab/gpu"),
        ({"cloud": "Kubernetes", "region": "pool", "zone": None}, "k8s/pool"),
        ({"cloud": "GCP", "region": "us-central1", "zone": "us-central1-a"},
         "gcp/us-central1/us-central1-a"),
        ({}, ""),
        ([], ""),
    ],
)  # fmt: skip
def test_what_skypilot_tells_a_job_is_read_as_a_place(told: object, place: str) -> None:
    assert place_of({CLUSTER_INFO: json.dumps(told)}) == place


def test_without_skypilot_there_is_no_place() -> None:
    assert place_of({}) == place_of({CLUSTER_INFO: "{"}) == ""
    assert write_infra("AWS") == "aws"
