"""Untrained language models of some 10^5 parameters, for smoke tests on a CPU.

A folder is what `AutoModelForCausalLM` and `AutoTokenizer` load. Its bytes depend on nothing but
this file: the weights come from an integer generator scaled by a power of two (exact in float32),
and every file is written here rather than by a library, whose next version may write it otherwise.
So the digests in dvc.lock hold on every machine.
"""

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Family = Literal["qwen2", "qwen3"]
Shape = tuple[int, ...]

HIDDEN = 64
HEADS = 2
HEAD_SIZE = HIDDEN // HEADS  # not below 32, for which vLLM has no attention kernel on a CPU
KEY_VALUE_HEADS = 1
FEED_FORWARD = 256
LAYERS = 2
POSITIONS = 512

END_OF_TEXT, START, END, PAD = "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>"
CONTROL_TOKENS = (END_OF_TEXT, START, END, PAD)
# As in Qwen2.5, these are whole tokens yet ordinary text: decoding a response keeps them, so that
# a trainer can find the tool call in it.
TOOL_TOKENS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")
FIRST_ADDED_ID = 256  # one token per byte comes before
VOCABULARY = FIRST_ADDED_ID + len(CONTROL_TOKENS) + len(TOOL_TOKENS)

# ChatML. Trainers render a conversation message by message and expect the pieces to add up to the
# whole, hence no default system message.
CHAT_TEMPLATE = (
    "{%- if tools %}<|im_start|>system\n"
    "Tools:{% for tool in tools %} {{ tool['function']['name'] }}{% endfor %}<|im_end|>\n"
    "{% endif %}"
    "{%- for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] or '' }}"
    "{%- for call in message['tool_calls'] or [] %}<tool_call>"
    "{{ {'name': call['function']['name'], 'arguments': call['function']['arguments']} | tojson }}"
    "</tool_call>{% endfor %}<|im_end|>\n"
    "{% endfor %}"
    "{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def write_model(folder: Path, family: Family, seed: int) -> None:
    """Write configuration, tokenizer and weights (float32) of one model into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", model_config(family))
    write_json(folder / "generation_config.json", generation_config())
    write_json(folder / "tokenizer.json", tokenizer())
    write_json(folder / "tokenizer_config.json", tokenizer_config())
    write_safetensors(folder / "model.safetensors", weights(family, seed))


def write_json(path: Path, value: Any) -> None:
    """JSON with sorted keys, two spaces and a final newline."""
    text = json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)
    path.write_bytes((text + "\n").encode())


def token_id(token: str) -> int:
    """The id of one of the added tokens."""
    return FIRST_ADDED_ID + (CONTROL_TOKENS + TOOL_TOKENS).index(token)


def generation_config() -> dict[str, Any]:
    """Where generation stops."""
    return {"eos_token_id": token_id(END), "pad_token_id": token_id(PAD)}


def model_config(family: Family) -> dict[str, Any]:
    """config.json: a causal language model, its fields as transformers names them."""
    config: dict[str, Any] = {
        "architectures": [family.capitalize() + "ForCausalLM"],
        "attention_dropout": 0.0,
        "bos_token_id": token_id(END_OF_TEXT),
        "hidden_act": "silu",
        "hidden_size": HIDDEN,
        "initializer_range": 0.02,
        "intermediate_size": FEED_FORWARD,
        "max_position_embeddings": POSITIONS,
        "model_type": family,
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "num_key_value_heads": KEY_VALUE_HEADS,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "use_cache": True,
        "vocab_size": VOCABULARY,
    }
    if family == "qwen3":
        config |= {"attention_bias": False, "head_dim": HEAD_SIZE}
    return config | generation_config()


def tokenizer() -> dict[str, Any]:
    """tokenizer.json: one token per byte of UTF-8 (a byte-level BPE without merges)."""
    byte_level = {"add_prefix_space": False, "trim_offsets": False, "type": "ByteLevel"}
    return {
        "added_tokens": [added_token(token) for token in CONTROL_TOKENS + TOOL_TOKENS],
        "decoder": byte_level | {"use_regex": False},
        "model": {
            "byte_fallback": False,
            "continuing_subword_prefix": None,
            "dropout": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "ignore_merges": False,
            "merges": [],
            "type": "BPE",
            "unk_token": None,
            "vocab": {character: byte for byte, character in enumerate(byte_characters())},
        },
        "normalizer": None,
        "padding": None,
        "post_processor": None,
        "pre_tokenizer": byte_level | {"use_regex": False},
        "truncation": None,
        "version": "1.0",
    }


def added_token(token: str) -> dict[str, Any]:
    """One entry of `added_tokens`; a `special` token vanishes when a response is decoded."""
    return {
        "content": token,
        "id": token_id(token),
        "lstrip": False,
        "normalized": False,
        "rstrip": False,
        "single_word": False,
        "special": token in CONTROL_TOKENS,
    }


def byte_characters() -> list[str]:
    """The printable character that stands for each byte in a byte-level vocabulary (GPT-2)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(0x100, 0x200))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


def tokenizer_config() -> dict[str, Any]:
    """tokenizer_config.json: the special tokens' roles and the chat template."""
    return {
        "bos_token": END_OF_TEXT,
        "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "eos_token": END,
        "model_max_length": POSITIONS,
        "pad_token": PAD,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }


def tensor_shapes(family: Family) -> dict[str, Shape]:
    """Every parameter of the model by its name in transformers, in a fixed order."""
    shapes: dict[str, Shape] = {"model.embed_tokens.weight": (VOCABULARY, HIDDEN)}
    for layer in range(LAYERS):
        for name, shape in layer_shapes(family).items():
            shapes[f"model.layers.{layer}.{name}"] = shape
    shapes["model.norm.weight"] = (HIDDEN,)
    return shapes


def layer_shapes(family: Family) -> dict[str, Shape]:
    """The parameters of one decoder layer. Qwen2 has biases, Qwen3 norms queries and keys."""
    widths = {"q": HIDDEN, "k": KEY_VALUE_HEADS * HEAD_SIZE, "v": KEY_VALUE_HEADS * HEAD_SIZE}
    shapes: dict[str, Shape] = {"input_layernorm.weight": (HIDDEN,)}
    for name, width in widths.items():
        shapes[f"self_attn.{name}_proj.weight"] = (width, HIDDEN)
        if family == "qwen2":
            shapes[f"self_attn.{name}_proj.bias"] = (width,)
    if family == "qwen3":
        shapes["self_attn.q_norm.weight"] = shapes["self_attn.k_norm.weight"] = (HEAD_SIZE,)
    shapes["self_attn.o_proj.weight"] = (HIDDEN, HIDDEN)
    shapes["post_attention_layernorm.weight"] = (HIDDEN,)
    shapes["mlp.gate_proj.weight"] = shapes["mlp.up_proj.weight"] = (FEED_FORWARD, HIDDEN)
    shapes["mlp.down_proj.weight"] = (HIDDEN, FEED_FORWARD)
    return shapes


def weights(family: Family, seed: int) -> dict[str, NDArray[np.float32]]:
    """Initial values: norms 1, biases 0, matrices uniform in [-1/16, 1/16)."""
    tensors: dict[str, NDArray[np.float32]] = {}
    drawn = 0
    for name, shape in tensor_shapes(family).items():
        size = int(np.prod(shape))
        if name.endswith("bias"):
            tensors[name] = np.zeros(shape, np.float32)
        elif len(shape) == 1:
            tensors[name] = np.ones(shape, np.float32)
        else:
            tensors[name] = uniform(seed, drawn, size).reshape(shape)
            drawn += size
    return tensors


def uniform(seed: int, start: int, count: int) -> NDArray[np.float32]:
    """`count` values in [-1/16, 1/16): multiples of 2^-27, hence exact in float32.

    Element i is the top 24 bits of output `start + i` of SplitMix64 (Steele, Lea and Flood,
    "Fast splittable pseudorandom number generators", 2014), whose arithmetic is modulo 2^64.
    """
    state = np.arange(start + 1, start + count + 1, dtype=np.uint64)
    state = state * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    top = ((state ^ (state >> np.uint64(31))) >> np.uint64(40)).astype(np.int64) - 2**23
    return (top.astype(np.float64) * 2.0**-27).astype(np.float32)


def write_safetensors(path: Path, tensors: dict[str, NDArray[np.float32]]) -> None:
    """The safetensors format: header length (u64), JSON header, then the raw little-endian data."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, tensor in tensors.items():
        span = [offset, offset + tensor.nbytes]
        header[name] = {"data_offsets": span, "dtype": "F32", "shape": list(tensor.shape)}
        offset = span[1]
    text = json.dumps(header, separators=(",", ":"), sort_keys=True).encode()
    text += b" " * (-len(text) % 8)  # the data must be aligned
    body = b"".join(tensor.astype("<f4").tobytes() for tensor in tensors.values())
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
