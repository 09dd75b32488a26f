"""Datasets that rules are tried on: small enough to be read from the work tree."""

import json
from typing import Any


def _lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _sum(number: int) -> dict[str, Any]:
    prompt = [{"role": "user", "content": f"{number} + {number} ="}]
    return {"prompt": prompt, "reward_model": {"ground_truth": str(2 * number)}}


def _chat(question: str, answer: str) -> dict[str, Any]:
    return {
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ]
    }


SUMS = [_sum(number) for number in range(20)]
QUESTIONS = [{"question": f"{n} + 1?", "answer": str(n + 1)} for n in range(16)]
DATA_FILES = {
    "data/sums.jsonl": _lines(SUMS),
    "data/held-out.jsonl": _lines([_sum(number) for number in range(20, 28)]),
    "data/leaked.jsonl": _lines([_sum(number) for number in range(16, 24)]),
    "data/unscored.jsonl": _lines([*SUMS[:-1], {**SUMS[-1], "reward_model": {"ground_truth": ""}}]),
    "data/lengthy.jsonl": _lines([*SUMS[:-1], {**SUMS[-1], "prompt": "why " * 1200}]),
    "data/questions.jsonl": _lines(QUESTIONS),
    "data/chats.jsonl": _lines([_chat(f"{n} + 1?", str(n + 1)) for n in range(16)]),
    "data/endless.jsonl": _lines([_chat(f"{n} + 1?", "1 " * 10_000) for n in range(16)]),
    "data/twice.jsonl": _lines([_chat(f"{n % 14} + 1?", str(n % 14 + 1)) for n in range(16)]),
}
