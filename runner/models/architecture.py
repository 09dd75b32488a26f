"""The shape of a language model, as its config.json states it, and what follows from it.

Only decoder-only transformers with gated feed-forward layers (Llama, Qwen, Mistral, Gemma,
DeepSeek and their likes); a config of another kind gives None.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

MOST = 2**31
"""Of anything that a config.json counts; larger numbers only serve to break arithmetic."""


class Experts(NamedTuple):
    """The mixture-of-experts part of a model."""

    routed: int
    active: int
    """Routed experts that a token goes through."""
    intermediate: int
    """Width of one expert."""
    shared: int = 0
    """Experts that every token goes through."""
    dense_layers: int = 0
    """First layers, which have one feed-forward network of the model's full width instead."""


class Latent(NamedTuple):
    """Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434): queries and keys of low rank."""

    query_rank: int
    key_value_rank: int
    rope_dim: int
    nope_dim: int
    value_dim: int


class Architecture(NamedTuple):
    """A model's shape; the names are those of the field, the units are counts."""

    layers: int
    hidden: int
    heads: int
    key_value_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    context: int
    """Longest sequence, prompt and answer together, in tokens."""
    tied: bool
    """Whether the output layer is the embedding."""
    attention_bias: bool = False
    experts: Experts | None = None
    latent: Latent | None = None

    @property
    def parameters(self) -> int:
        """All weights. Normalization layers count as 2 vectors a layer and one at the end."""
        return self._total(active=False)

    @property
    def active_parameters(self) -> int:
        """The weights that one token goes through; fewer than all with experts."""
        return self._total(active=True)

    @property
    def head_parameters(self) -> int:
        """Embedding and output layer."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def layer_parameters(self) -> int:
        """The largest layer, with all its experts."""
        return self._attention() + self._feed_forward(self.layers - 1, active=False)

    @property
    def active_intermediate(self) -> int:
        """Width of the feed-forward layer that a token sees."""
        if self.experts is None:
            return self.intermediate
        return self.experts.intermediate * (self.experts.active + self.experts.shared)

    @property
    def key_value_width(self) -> int:
        """Numbers that the KV cache holds per token and layer."""
        if self.latent:
            return self.latent.key_value_rank + self.latent.rope_dim
        return 2 * self.key_value_heads * self.head_dim

    def adapter_parameters(self, rank: int) -> int:
        """Return the weights of low-rank adapters on every linear layer (not the output layer).

        A layer of in x out gets rank x (in + out) (Hu et al. 2021, arXiv 2106.09685).
        """
        queries, keys = self.heads * self.head_dim, self.key_value_heads * self.head_dim
        attention = 2 * (self.hidden + queries) + 2 * (self.hidden + keys)
        experts = self.experts.routed + self.experts.shared if self.experts else 1
        width = self.experts.intermediate if self.experts else self.intermediate
        return self.layers * rank * (attention + 3 * experts * (self.hidden + width))

    def _total(self, *, active: bool) -> int:
        dense = self.experts.dense_layers if self.experts else self.layers
        each = self._attention() + 2 * self.hidden
        narrow, wide = (
            self._feed_forward(0, active=active),
            self._feed_forward(dense, active=active),
        )
        feed_forward = dense * narrow + (self.layers - dense) * wide
        return self.layers * each + feed_forward + self.head_parameters + self.hidden

    def _attention(self) -> int:
        if self.latent:
            return _latent_attention(self.hidden, self.heads, self.latent)
        queries, keys = self.heads * self.head_dim, self.key_value_heads * self.head_dim
        bias = queries + 2 * keys if self.attention_bias else 0
        return 2 * self.hidden * queries + 2 * self.hidden * keys + bias

    def _feed_forward(self, layer: int, *, active: bool) -> int:
        experts = self.experts
        if experts is None or layer < experts.dense_layers:
            return 3 * self.hidden * self.intermediate
        count = (experts.active if active else experts.routed) + experts.shared
        return 3 * self.hidden * experts.intermediate * count + self.hidden * experts.routed


def _latent_attention(hidden: int, heads: int, latent: Latent) -> int:
    down = hidden * (latent.query_rank + latent.key_value_rank + latent.rope_dim)
    queries = latent.query_rank * heads * (latent.nope_dim + latent.rope_dim)
    keys = latent.key_value_rank * heads * (latent.nope_dim + latent.value_dim)
    return down + queries + keys + heads * latent.value_dim * hidden


def from_config(config: Mapping[str, Any]) -> Architecture | None:
    """Return the architecture that a config.json states; None for one of another kind."""
    try:
        return _read(config)
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None


def _count(value: Any) -> int:
    """Return a count of a config; raises ValueError for what no model has."""
    count = int(value)
    if not 0 <= count <= MOST:
        raise ValueError("no count of a model")
    return count


def _read(config: Mapping[str, Any]) -> Architecture:
    heads, hidden = _count(config["num_attention_heads"]), _count(config["hidden_size"])
    return Architecture(
        layers=_count(config["num_hidden_layers"]),
        hidden=hidden,
        heads=heads,
        key_value_heads=_count(config.get("num_key_value_heads") or heads),
        head_dim=_count(config.get("head_dim") or hidden // heads),
        intermediate=_count(config["intermediate_size"]),
        vocabulary=_count(config["vocab_size"]),
        context=_count(config["max_position_embeddings"]),
        tied=bool(config.get("tie_word_embeddings", False)),
        # Qwen2's layers have this bias without saying so in their config.
        attention_bias=bool(config.get("attention_bias", config.get("model_type") == "qwen2")),
        experts=_experts(config),
        latent=_latent(config),
    )


def _experts(config: Mapping[str, Any]) -> Experts | None:
    routed = next((config[key] for key in _ROUTED if config.get(key)), None)
    if routed is None:
        return None
    width = config.get("moe_intermediate_size") or config["intermediate_size"]
    return Experts(
        routed=_count(routed),
        active=_count(config["num_experts_per_tok"]),
        intermediate=_count(width),
        shared=_count(config.get("n_shared_experts") or 0),
        dense_layers=_count(config.get("first_k_dense_replace") or 0),
    )


def _latent(config: Mapping[str, Any]) -> Latent | None:
    if not config.get("kv_lora_rank"):
        return None
    return Latent(
        query_rank=_count(config["q_lora_rank"]),
        key_value_rank=_count(config["kv_lora_rank"]),
        rope_dim=_count(config["qk_rope_head_dim"]),
        nope_dim=_count(config["qk_nope_head_dim"]),
        value_dim=_count(config["v_head_dim"]),
    )


_ROUTED = ("n_routed_experts", "num_experts", "num_local_experts")
"""How families spell the number of routed experts."""
