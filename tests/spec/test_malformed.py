# ruff: noqa: E501 - a table reads better in long lines
"""A table of malformed specs: for each the rule, the place, what is said and what to do."""

from typing import NamedTuple

import pytest
from spec_texts import GRPO, SCRIPT, load, put


class Case(NamedTuple):
    text: str | bytes
    rule: str
    line: int
    column: int
    key: str
    message: str
    cure: str


def training(rest: str) -> str:
    return put(f"training: {{steps: 2, prompts_per_step: 8, learning_rate: 1e-6, {rest}}}")


def matrix(rest: str) -> str:
    return f"{GRPO}matrix:\n{rest}"


CASES = {
    # What is no YAML, or YAML that a person could misread.
    "empty": Case("", "spec.syntax", 1, 1, "", "the file is empty", "docs/spec.md"),
    "only a comment": Case("# x\n", "spec.syntax", 1, 1, "", "the file is empty", "docs/spec.md"),
    "null": Case("null\n", "spec.syntax", 1, 1, "", "the file is empty", "docs/spec.md"),
    "a list": Case("- a\n- b\n", "spec.type", 1, 1, "", "no mapping", "key: value"),
    "a word": Case("hello\n", "spec.type", 1, 1, "", "no mapping", "key: value"),
    "open list": Case("a: [1, 2\nb: 3\n", "spec.syntax", 1, 4, "", "`[` is not closed", "close it with `]`"),
    "open mapping": Case("x:\n  a: {b: 1\n", "spec.syntax", 2, 6, "", "`{` is not closed", "close it with `}`"),
    "open quote": Case("a: 1\nb: 'x\n", "spec.syntax", 2, 4, "", "a quote is opened", "close the quote"),
    "tab": Case("a:\n\tb: 1\n", "spec.syntax", 2, 1, "", "a tab indents", "spaces"),
    "tab after spaces": Case("a:\n  b: 1\n  \tc: 1\n", "spec.syntax", 3, 3, "", "a tab indents", "spaces"),
    "wrong indentation": Case("a: 1\n  b: 2\n", "spec.syntax", 2, 4, "", "a `:` stands where no key", "indentation"),
    "two colons": Case("description: GRPO: again\n", "spec.syntax", 1, 18, "", "a `:` stands where no key", "quotes"),
    "no colon": Case("a: 1\nb\n", "spec.syntax", 3, 1, "", "neither `key: value`", "write a `:`"),
    "list below a mapping": Case("a: 1\n- b\n", "spec.syntax", 2, 1, "", "does not continue the mapping", "indent it"),
    "entry out of line": Case("a:\n  - b\n - c\n", "spec.syntax", 3, 2, "", "does not continue the mapping", "indent"),
    "list on the key's line": Case("a: - b\n", "spec.syntax", 1, 4, "", "a list entry stands", "lines of its own"),
    "at sign": Case("owner: @me\n", "spec.syntax", 1, 8, "", "cannot begin with `@`", "quotes"),
    "backtick": Case("a: `x`\n", "spec.syntax", 1, 4, "", "cannot begin with ```", "quotes"),
    "bad escape": Case('a: "\\q"\n', "spec.syntax", 1, 5, "", "unknown escape", "single quotes"),
    "block text": Case("a: |2x\n b\n", "spec.syntax", 1, 6, "", "text block", "indent the text"),
    "bracket too much": Case("a: }\n", "spec.syntax", 1, 4, "", "bracket too much", "write the value"),
    "two documents": Case("a: 1\n---\nb: 1\n", "spec.syntax", 2, 1, "", "a second document", "file of its own"),
    "after the end": Case("a: 1\n...\nb: 1\n", "spec.syntax", 3, 1, "", "more after the end", "indent it"),
    "directive": Case("%YAML 1.1\n---\na: 1\n", "spec.syntax", 1, 1, "", "directives", "take the line out"),
    "anchor": Case(put("tags: &t [a]"), "spec.syntax", 8, 7, "tags", "anchors (`&t`)", "extends"),
    "alias": Case(put("tags: *t"), "spec.syntax", 8, 7, "tags", "aliases (`*t`)", "extends"),
    "merge key": Case(put("<<: {a: 1}"), "spec.syntax", 8, 1, "<<", "merge keys", "extends"),
    "python object": Case(put("owner: !!python/object/apply:os.system [id]"), "spec.syntax", 8, 8, "owner",
                          "tags (`!!python/object/apply:os.system`)", "without the tag"),
    "own tag": Case(put("owner: !env HOME"), "spec.syntax", 8, 8, "owner", "tags (`!env`)", "without the tag"),
    "standard tag": Case(put("owner: !!str me"), "spec.syntax", 8, 8, "owner", "tags (`!!str`)", "without the tag"),
    "unknown tag handle": Case("a: !x!y 1\n", "spec.syntax", 1, 4, "", "tags (`!…`)", "without the tag"),
    "duplicate key": Case(f"{GRPO}trainer: script\n", "spec.duplicate_key", 8, 1, "trainer",
                          "stands twice; first on line 2", "delete one"),
    "duplicate in a section": Case(training("steps: 3"), "spec.duplicate_key", 7, 64, "training.steps",
                                   "stands twice; first on line 7", "delete one"),
    "number as key": Case("1: a\n", "spec.syntax", 1, 1, "1", "the key `1` is not text", "quotes"),
    "true as key": Case("true: a\n", "spec.syntax", 1, 1, "true", "the key `true` is not text", "quotes"),
    "list as key": Case("[a]: 1\n", "spec.syntax", 1, 1, "", "a key is a list", "quotes"),
    "mapping as key": Case("? {a: 1}\n: 1\n", "spec.syntax", 1, 3, "", "a key is a list or mapping", "quotes"),
    "nul byte": Case(b"a: \x00\n", "spec.syntax", 1, 4, "", "U+0000", "delete it"),
    "escape character": Case("a: \x1b[31m\n", "spec.syntax", 1, 4, "", "U+001B", "delete it"),
    "reordered text": Case("owner: '\u202eadmin'\n", "spec.syntax", 1, 9, "", "U+202E", "delete it"),
    "line separator": Case("a: b\u2028c: d\n", "spec.syntax", 1, 5, "", "U+2028", "delete it"),
    "latin 1": Case("a: 1\nb: Zürich\n".encode("latin-1"), "spec.syntax", 2, 5, "", "0xfc is not UTF-8", "UTF-8"),
    "utf-16": Case("a: 1\n".encode("utf-16"), "spec.syntax", 1, 1, "", "0xff is not UTF-8", "UTF-8"),
    "too large": Case("#" * 300_000, "spec.limit", 1, 1, "", "300,000 bytes", "split it"),
    "a megabyte of brackets": Case("[" * 2**20, "spec.limit", 1, 1, "", "1,048,576 bytes", "split it"),
    "too deep": Case("a: " + "[" * 30 + "]" * 30, "spec.limit", 1, 23, "a" + "[0]" * 19, "deeper than 20", "flatten"),
    "too many values": Case("a: [" + "1," * 20_000 + "]", "spec.limit", 1, 19_999, "a[9997]", "more than 10,000", "split"),
    "a bomb of aliases": Case("a: &a [x, x]\nb: [*a, *a]\n", "spec.syntax", 1, 4, "a", "anchors (`&a`)", "extends"),
    # Scalars.
    "octal": Case(training("warmup_steps: 010"), "spec.value", 7, 78, "training.warmup_steps", "`010` begins with a zero", "write 10"),
    "not a number": Case(training("weight_decay: .nan"), "spec.value", 7, 78, "training.weight_decay", "not a finite", "a number"),
    "infinity": Case(training("weight_decay: -.inf"), "spec.value", 7, 78, "training.weight_decay", "not a finite", "a number"),
    "too large a number": Case(training("weight_decay: 1e999"), "spec.value", 7, 78, "training.weight_decay", "too large", "write less"),
    "huge integer": Case(put("seeds: [99999999999999999999999]"), "spec.limit", 8, 9, "seeds[0]", "would lose digits", "smaller"),
    "yes": Case(training("evaluate_before_training: yes"), "spec.type", 7, 90, "training.evaluate_before_training",
                "the text `yes`; it takes true or false", "write true"),
    "off": Case(put("data: {train: a, shuffle: off}"), "spec.type", 5, 27, "data.shuffle", "the text `off`", "write false"),
    "quoted number": Case(training("save_every: '5'"), "spec.type", 7, 76, "training.save_every", "the text `5`", "quotes: 5"),
    "quoted true": Case(put("follow_inputs: 'true'"), "spec.type", 8, 16, "follow_inputs", "the text `true`", "quotes: true"),
    "sexagesimal": Case(training("save_every: 1:30"), "spec.type", 7, 76, "training.save_every", "`1:30`", "write 90"),
    "underscores": Case(training("save_every: 1_000"), "spec.type", 7, 76, "training.save_every", "`1_000`", "write 1000"),
    "half a step": Case(training("save_every: 2.5"), "spec.type", 7, 76, "training.save_every", "`2.5`; it takes a whole", "whole"),
    "a list for a number": Case(training("save_every: [1]"), "spec.type", 7, 76, "training.save_every", "is a list", "whole"),
    "a number for a text": Case(put("owner: 5"), "spec.type", 8, 8, "owner", "the number `5`; it takes text", "quotes"),
    "true for a text": Case(put("description: true"), "spec.type", 8, 14, "description", "`true`; it takes text", "quotes"),
    "revision of digits": Case(put("model: {path: a, revision: 12345}"), "spec.type", 3, 28, "model.revision", "`12345`", "quotes"),
    "a number for a list": Case(put("seeds: 3"), "spec.type", 8, 8, "seeds", "it takes a list", "[3]"),
    "a text for a list": Case(put("tags: smoke"), "spec.type", 8, 7, "tags", "it takes a list", "[smoke]"),
    "a mapping for a list": Case(put("tags: {a: 1}"), "spec.type", 8, 7, "tags", "is a mapping; it takes a list", "a list"),
    "a text for a section": Case(put("training: fast"), "spec.type", 7, 11, "training", "takes a mapping", "a mapping"),
    "an empty section": Case(put("rollout:"), "spec.type", 8, 9, "rollout", "is empty", "delete the line"),
    "unclear override": Case(put("overrides: {trainer.balance_batch: no}"), "spec.value", 8, 36,
                             "overrides.trainer.balance_batch", "`no` is text here", "write false"),
    # Keys.
    "misspelt key": Case(put("rewards: a.py:f"), "spec.unknown_key", 8, 1, "rewards", "`rewards` is no key of a spec", "`reward`"),
    "misspelt in a section": Case(training("warmup_step: 1"), "spec.unknown_key", 7, 64, "training.warmup_step",
                                  "no key of `training`", "`warmup_steps`"),
    "key of another section": Case(put("learning_rate: 1"), "spec.unknown_key", 8, 1, "learning_rate",
                                   "no key of a spec", "under `training`: move it"),
    "key of the top": Case(training("seeds: [1]"), "spec.unknown_key", 7, 64, "training.seeds", "no key of", "at the top: move it"),
    "key of another algorithm": Case(put("algorithm: {name: sft, group_size: 4}"), "spec.unknown_key", 4, 24,
                                     "algorithm.group_size", "no key of `algorithm`", "belongs to ppo, grpo, dr_grpo, "),
    "key in a list": Case(put("resources: {candidates: [{infra: gcp, spt: true}]}"), "spec.unknown_key", 8, 39,
                          "resources.candidates[0].spt", "no key of `resources.candidates[0]`", "`spot`"),
    "emoji key": Case(put("😀: 1"), "spec.unknown_key", 8, 1, "😀", "`😀` is no key", "use one of: apiVersion"),
    "python's name of a key": Case(put("algorithm: {name: grpo, kl: {in_: loss, coefficient: 1}}"), "spec.unknown_key",
                                   4, 30, "algorithm.kl.in_", "`in_` is no key", "`in`"),
    "misspelt extends": Case(put("extend: bases/a"), "spec.unknown_key", 8, 1, "extend", "no key of a spec", "`extends`"),
    "missing version": Case(GRPO.replace("apiVersion: rollbook/v1\n", ""), "spec.missing", 1, 1, "apiVersion",
                            "`apiVersion` is missing", "add `apiVersion"),
    "missing in a section": Case(put("training: {steps: 2, prompts_per_step: 8}"), "spec.missing", 7, 1,
                                 "training.learning_rate", "(Peak learning rate)", "below `training`"),
    "missing algorithm name": Case(put("algorithm: {group_size: 4}"), "spec.missing", 4, 12, "algorithm",
                                   "`algorithm.name` is missing", "sft, ppo, grpo"),
    "missing model": Case(GRPO.replace("model: {path: Qwen/Qwen2.5-0.5B, revision: 060db6499f32}\n", ""), "spec.value",
                          2, 10, "trainer", "needs the key `model`", "add `model:`"),
    "missing script": Case(put("trainer: script"), "spec.value", 2, 10, "trainer", "needs the key `script`", "add `script:`"),
    "script of another trainer": Case(put("trainer: verl==1", SCRIPT), "spec.value", 2, 10, "trainer", "needs the key", "add"),
    "script beside verl": Case(put("script: {command: [a], files: [b]}"), "spec.value", 8, 9, "script",
                               "belongs to `trainer: script`", "delete `script`"),
    # Values.
    "another version": Case(put("apiVersion: rollbook/v2"), "spec.value", 1, 13, "apiVersion", "one of: rollbook/v1", "did you mean"),
    "unpinned trainer": Case(put("trainer: verl"), "spec.value", 2, 10, "trainer", "not pinned", "verl==<version>"),
    "unknown trainer": Case(put("trainer: trlx==1"), "spec.value", 2, 10, "trainer", "`trlx` is no trainer", "script"),
    "pinned script": Case(put("trainer: script==1"), "spec.value", 2, 10, "trainer", "no version", "`trainer: script`"),
    "unknown algorithm": Case(put("algorithm: {name: gropo}"), "spec.value", 4, 19, "algorithm.name", "sft, ppo, grpo", "`grpo`"),
    "unknown choice": Case(put("launch: on-merge"), "spec.value", 8, 9, "launch", "on_merge, manual", "`on_merge`"),
    "choice far off": Case(put("launch: never"), "spec.value", 8, 9, "launch", "the text `never`", "write on_merge or manual"),
    "zero steps": Case(training("save_every: 0"), "spec.value", 7, 76, "training.save_every", "greater than 0", "greater than 0"),
    "negative seed": Case(put("seeds: [-1]"), "spec.value", 8, 9, "seeds[0]", "is -1; it must be at least 0", "at least 0"),
    "no seeds": Case(put("seeds: []"), "spec.value", 8, 8, "seeds", "has 0 entries", "at least 1 long"),
    "equal seeds": Case(put("seeds: [1, 2, 1]"), "spec.value", 8, 8, "seeds", "the seed 1 stands twice", "delete one"),
    "large learning rate": Case(put("training: {steps: 1, prompts_per_step: 8, learning_rate: 2}"), "spec.value", 7, 58,
                                "training.learning_rate", "is 2; it must be at most 1", "at most 1"),
    "group of one": Case(put("algorithm: {name: grpo, group_size: 1}"), "spec.value", 4, 37, "algorithm.group_size",
                         "at least 2", "at least 2"),
    "duration without unit": Case(put("resources: {max_duration: 8}"), "spec.value", 8, 27, "resources.max_duration",
                                  "`8` has no unit", "8h"),
    "duration in words": Case(put("resources: {max_duration: 8 hours}"), "spec.value", 8, 27, "resources.max_duration",
                              "is not a duration", "1h30m"),
    "accelerators": Case(put("resources: {accelerators: H100}"), "spec.value", 8, 27, "resources.accelerators", "`H100`", "`H100:8`"),
    "name of a set": Case(put("data: {train: a, val: {My Set: b}}"), "spec.value", 5, 24, "data.val.My Set", "the key `My Set`", "small letters"),
    "secret's value": Case(put("secrets: [hf_abc123]"), "spec.value", 8, 11, "secrets[0]", "its value is not", "never its value"),
    "reward without function": Case(put("reward: reward/a.py"), "spec.value", 6, 9, "reward", "`reward/a.py`", "<file>.py:<function>"),
    "long owner": Case(put(f"owner: {'x' * 101}"), "spec.value", 8, 8, "owner", "101 characters", "at most 100 characters"),
    "unknown metric": Case(put("expect: [{reward/meen: last > 1}]"), "spec.value", 8, 10, "expect[0]", "no canonical metric", "`reward/mean`"),
    "unreadable condition": Case(put("expect: [{reward/mean: above 1}]"), "spec.value", 8, 10, "expect[0]", "`above 1` is not a", "`max < 0.2`"),
    "two metrics in one entry": Case(put("expect: [{reward/mean: last > 1, reward/max: last > 1}]"), "spec.value", 8, 10,
                                     "expect[0]", "one metric and its condition", "reward/mean: last"),
    "expectation taken apart": Case(put("expect: [{metric: reward/mean, term: last, comparison: '>', limit: 1}]"),
                                    "spec.value", 8, 10, "expect[0]", "one metric and its condition", "reward/mean: last"),
    "unknown best metric": Case(put("checkpoints: {keep_best: accuracy}"), "spec.value", 8, 26, "checkpoints.keep_best",
                                "no canonical metric", "a trainer's own name"),
    # Paths.
    "data outside": Case(put("data: {train: ../../etc/passwd}"), "spec.value", 5, 15, "data.train", "no path inside", "without `..`"),
    "absolute data": Case(put("data: {train: /etc/passwd}"), "spec.value", 5, 15, "data.train", "no path inside", "relative"),
    "set outside": Case(put("data: {train: a, val: {b: ../b}}"), "spec.value", 5, 27, "data.val.b", "no path inside", "without `..`"),
    "reward outside": Case(put("reward: ../x.py:f"), "spec.value", 6, 9, "reward", "no path inside", "without `..`"),
    "model outside": Case(put("model: {source: path, path: ../m}"), "spec.value", 3, 29, "model.path", "no path inside", "without `..`"),
    "script outside": Case(put("script: {command: [a], files: [/etc]}", SCRIPT), "spec.value", 3, 32, "script.files[0]", "no path inside", "relative"),
    "extends outside": Case("extends: ../../etc/passwd\n", "spec.extends", 1, 10, "extends", "no spec below experiments/", "below experiments/"),
    # extends and matrix; their meaning is tested in files of their own.
    "extends nothing": Case("extends: null\n", "spec.extends", 1, 10, "extends", "takes the name", "name the base"),
    "extends an empty list": Case("extends: []\n", "spec.extends", 1, 10, "extends", "names 0 files", "name the base"),
    "extends a number": Case("extends: [1]\n", "spec.extends", 1, 11, "extends", "takes the name", "name the base"),
    "extends a mapping": Case("extends: {a: 1}\n", "spec.extends", 1, 10, "extends", "takes the name", "name the base"),
    "extends itself": Case("extends: x\n", "spec.extends", 1, 10, "extends", "in a circle: x -> x", "take one link out"),
    "extends what is not there": Case("extends: bases/y\n", "spec.extends", 1, 10, "extends", "`bases/y` is no spec", "below experiments/"),
    "empty matrix": Case(matrix("  {}\n"), "spec.matrix", 8, 1, "matrix", "has no points", "grid"),
    "matrix of a list": Case(matrix("  [1]\n"), "spec.type", 9, 3, "matrix", "takes a mapping", "a mapping"),
    "no values": Case(matrix("  grid: {training.steps: []}\n"), "spec.value", 9, 26, "matrix.grid.training.steps", "0 entries", "at least 1"),
    "one value": Case(matrix("  grid: {training.steps: 3}\n"), "spec.type", 9, 26, "matrix.grid.training.steps", "takes a list", "[3]"),
    "unknown key in the grid": Case(matrix("  grid: {training.stepz: [1]}\n"), "spec.unknown_key", 9, 10,
                                    "matrix.grid.training.stepz", "`training.stepz` is no key", "`training.steps`"),
    "seeds in the grid": Case(matrix("  grid: {seeds: [1]}\n"), "spec.matrix", 9, 10, "matrix.grid.seeds", "whole experiment", "`seeds:`"),
    "misspelt include": Case(matrix("  includes: []\n"), "spec.unknown_key", 9, 3, "matrix.includes", "no key of `matrix`", "`include`"),
    "equal values": Case(matrix("  grid: {training.learning_rate: [1e-6, 0.000001]}\n"), "spec.matrix", 9, 41,
                         "matrix.grid.training.learning_rate[1]", "stands twice", "delete one"),
    "value of the grid": Case(matrix("  grid: {training.steps: [1, 0]}\n"), "spec.value", 9, 30, "training.steps", "is 0", "greater than 0"),
    "type in the grid": Case(matrix("  grid: {training.steps: [1, no]}\n"), "spec.type", 9, 30, "training.steps", "`no`", "whole number"),
    "idle exclude": Case(matrix("  grid: {training.steps: [1]}\n  exclude: [{training.steps: 2}]\n"), "spec.matrix", 10, 13,
                         "matrix.exclude[0]", "takes no combination out", "delete it"),
    "unknown key in exclude": Case(matrix("  grid: {training.steps: [1]}\n  exclude: [{training.step: 1}]\n"), "spec.matrix",
                                   10, 14, "matrix.exclude[0].training.step", "no key of the grid", "`training.steps`"),
    "all excluded": Case(matrix("  grid: {training.steps: [1]}\n  exclude: [{training.steps: 1}]\n"), "spec.matrix", 8, 1,
                         "matrix", "takes out every combination", "at least one"),
    "equal points": Case(matrix("  include: [{training.steps: 1}, {training.steps: 1.0}]\n"), "spec.matrix", 9, 51, "matrix",
                         "two points are equal", "delete one"),
    "section and key": Case(matrix("  grid: {rollout: [{}], rollout.top_p: [1]}\n"), "spec.matrix", 9, 10, "matrix.grid.rollout",
                            "set the same value", "keep one"),
    "too many combinations": Case(matrix("  grid:\n" + "".join(
        f"    {key}: {list(range(1, 102))}\n" for key in ("training.steps", "training.save_every"))),
        "spec.limit", 8, 1, "matrix.grid", "10,201 combinations", "fewer"),
    "too many runs": Case(matrix(f"  grid: {{training.steps: {list(range(1, 502))}}}\nseeds: [1, 2]\n"), "spec.limit", 8, 1,
                          "matrix", "1,002 runs; the limit is 1,000", "fewer"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.timeout(20)
def test_a_malformed_spec_is_refused_with_place_reason_and_cure(name):
    case = CASES[name]
    loaded = load(x=case.text)
    finding = loaded.findings[0]
    place = (finding.path, finding.line, finding.column)
    assert (finding.rule, finding.key, *place) == (
        case.rule, case.key, "experiments/x.yaml", case.line, case.column,
    )  # fmt: skip
    assert case.message in finding.message
    assert case.cure in finding.cure
    assert finding.level == "error"
    assert loaded.refused == {"x": loaded.findings}


@pytest.mark.parametrize("name", CASES)
def test_messages_are_plain_words(name):
    jargon = (
        "pydantic",
        "Input should",
        "input_value",
        "tuple",
        "dict",
        "NoneType",
        "str ",
        "regex",
        "scanning",
    )
    for finding in load(x=CASES[name].text).findings:
        text = f"{finding.message} {finding.cure}"
        assert not [word for word in jargon if word in text]
        assert len(finding.message) < 400
        assert "\n" not in text
