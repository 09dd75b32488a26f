"""Counts tokens with a model's own tokenizer and chat template, for `runner data check`.

`python rollbook_tokens.py FOLDER` answers each line of standard input,

    {"messages": […], "tools": […] or null, "generation": true}

with one line: {"tokens": 12}, or {"error": "…"} where the template refuses the conversation.
`generation` adds the beginning of an answer, as prompts of RL have it.
"""

import json
import os
import sys
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"  # what is not at hand is not fetched
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")


def answer(tokenizer: Any, request: dict[str, Any]) -> dict[str, Any]:
    """The number of tokens of a conversation."""
    try:
        ids = tokenizer.apply_chat_template(
            request["messages"],
            tools=request["tools"],
            add_generation_prompt=request["generation"],
            tokenize=True,
            return_dict=False,
        )
    except Exception as error:  # templates are programs, and refuse with anything
        return {"error": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
    return {"tokens": len(ids)}


def main() -> None:
    """Answer until standard input ends."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(sys.argv[1], local_files_only=True)
    for line in sys.stdin:
        print(json.dumps(answer(tokenizer, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
