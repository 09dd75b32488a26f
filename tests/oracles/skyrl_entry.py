"""Puts our entry module through SkyRL's own data loading, generator, evaluation and saving.

What takes a GPU stands in: the inference engine answers from a table, and the workers that write
weights write a file. Reads {"arguments", "answers"}; answers with what SkyRL made of them.
"""

import asyncio
import json
import sys
import typing
from pathlib import Path

import typing_extensions

# Under Python 3.11 pydantic refuses the TypedDict that skyrl/tinker/types.py takes from typing.
typing.TypedDict = typing_extensions.TypedDict

import rollbook_skyrl  # noqa: E402
import skyrl_gym  # noqa: E402
import torch  # noqa: E402
from peft import LoraConfig, get_peft_model  # noqa: E402
from skyrl.train.config import SkyRLTrainConfig  # noqa: E402
from skyrl.train.dataset import PromptDataset  # noqa: E402
from skyrl.train.evaluate import evaluate  # noqa: E402
from skyrl.train.generators.utils import prepare_generator_input  # noqa: E402
from skyrl.train.utils.trainer_utils import build_dataloader  # noqa: E402
from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: E402
from transformers import (  # noqa: E402
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

TEMPLATE = (
    "{% for message in messages %}<s> {{ message['content'] }} </s> {% endfor %}"
    "{% if add_generation_prompt %}<s>{% endif %}"
)


def tokenizer(words):
    """Return a tokenizer of whole words with a chat template."""
    vocabulary = {word: number for number, word in enumerate(["<s>", "</s>", "?", *words])}
    words_only = Tokenizer(models.WordLevel(vocabulary, unk_token="?"))
    words_only.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=words_only, chat_template=TEMPLATE,
        bos_token="<s>", eos_token="</s>", pad_token="</s>", unk_token="?",
    )  # fmt: skip


class Engine:
    """Answers each question with the next of its answers; an empty one was cut off."""

    def __init__(self, tokenizer, answers):
        self.tokenizer, self.answers = tokenizer, {key: list(v) for key, v in answers.items()}

    async def generate(self, engine_input, model=None):
        question = self.tokenizer.decode(engine_input["prompt_token_ids"][0])
        known = next(key for key in self.answers if f" {key} " in question)
        answer = self.answers[known].pop(0)
        ids = self.tokenizer.encode(f"{answer or '?'} </s>", add_special_tokens=False)
        return {
            "responses": [answer], "response_ids": [ids], "response_logprobs": [[0.0] * len(ids)],
            "stop_reasons": ["stop" if answer else "length"],
        }  # fmt: skip

    async def finish_session(self, session):
        pass


class Workers:
    """Stand for the actors that hold the weights: they write a file where they are told to."""

    def save_hf_model(self, model, folder, tokenizer):
        self._write(Path(folder) / "model.safetensors")

    def save_checkpoint(self, model, folder, tokenizer):
        self._write(Path(folder) / "model_world_size_1_rank_0.pt")

    def _write(self, path):
        path.parent.mkdir(parents=True)
        path.write_text("")


class Loader:
    """A training set's place in its order."""

    def state_dict(self):
        return {}


def dataset(files, cfg, tokenizer):
    """Return SkyRL's dataset as its experiment makes it, in one process instead of eight."""
    return PromptDataset(files, tokenizer, cfg.trainer.max_prompt_length, num_workers=1)


def experiment(cfg, tokenizer):
    """Return our experiment without its cluster."""
    one = rollbook_skyrl.Experiment.__new__(rollbook_skyrl.Experiment)
    one.cfg, one.tokenizer = cfg, tokenizer
    return one


def trainer(cfg, generator, tokenizer):
    """Return our trainer at its tenth step, without models."""
    one = rollbook_skyrl.Trainer.__new__(rollbook_skyrl.Trainer)
    one.cfg, one.generator, one.tokenizer = cfg, generator, tokenizer
    one.all_metrics, one.all_timings, one.global_step = {}, {}, 10
    one.dispatch, one.train_dataloader = Workers(), Loader()
    one._cleanup_old_checkpoints = lambda: None  # runs on the cluster's nodes
    return one


def sampled(cfg, training):
    """Return the generator's input for all rows of a training set, in their order."""
    rows = training.collate_fn([training[number] for number in range(len(training))])
    each = cfg.generator.n_samples_per_prompt
    params = {"max_tokens": cfg.generator.sampling_params.max_generate_length, "logprobs": 0}
    return prepare_generator_input(rows, each, params, cfg.environment.env_class, "train", 1)


def merging(folder):
    """Return how far a merged model is from that with its adapter, and from that without."""
    config = Qwen2Config(
        vocab_size=16, hidden_size=8, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1,
    )  # fmt: skip
    base = Qwen2ForCausalLM(config)
    base.save_pretrained(folder / "base")
    ids = torch.arange(8)[None]
    without = base(ids).logits
    lora = LoraConfig(target_modules="all-linear", r=2, init_lora_weights=False)
    model = get_peft_model(base, lora)
    # As FSDPStrategy.save_hf_model does (distributed/fsdp_strategy.py).
    model.save_pretrained(
        folder / "adapter", state_dict=model.state_dict(), safe_serialization=True
    )
    rollbook_skyrl.merge_adapter(str(folder / "base"), folder / "adapter", folder / "merged")
    merged = Qwen2ForCausalLM.from_pretrained(folder / "merged")(ids).logits
    return [float((merged - other).abs().max()) for other in (model(ids).logits, without)]


def play(arguments, answers):
    cfg = SkyRLTrainConfig.from_cli_overrides(arguments)
    skyrl_gym.register(id=rollbook_skyrl.ENVIRONMENT, entry_point=rollbook_skyrl.RewardEnvironment)
    words = tokenizer(sorted({word for one in answers for word in f"{one} {answers[one]}".split()}))
    ours = experiment(cfg, words)
    generator = ours.get_generator(cfg, words, Engine(words, answers))
    validation = dataset(cfg.data.val_data, cfg, words)
    loader = build_dataloader(cfg, validation, is_train=False)
    evaluated = asyncio.run(evaluate(loader, generator, cfg, 0, words))

    learner = trainer(cfg, generator, words)
    training = dataset(cfg.data.train_data, cfg, words)
    given, groups = sampled(cfg, training)
    output = asyncio.run(learner.generate(given))
    learner.postprocess_generator_output(output, groups)
    tracker = ours.get_tracker()
    tracker.log(evaluated, step=0, commit=True)
    tracker.log({**learner.all_metrics, "text": "no number", "odd": float("nan")}, step=1)
    finished = [rollbook_skyrl.is_finished(cfg)]
    learner.save_checkpoints()
    finished.append(rollbook_skyrl.is_finished(cfg))
    sys.argv[1:] = arguments
    rollbook_skyrl.main()  # returns at once, as nothing is left to train
    rows = [len(training), len(validation)]
    return {"rows": rows, "finished": finished, "merging": merging(Path.cwd())}


if __name__ == "__main__":
    question, answer = json.load(sys.stdin), Path(sys.argv[1])
    answer.write_text(json.dumps(play(question["arguments"], question["answers"])))
