"""Values on the command line of a Hydra program: its own parser reads back what was meant."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import Refused
from runner.trainers.hydra import override, spell

PARSER = OverridesParser.create()

NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: name not in {"true", "false", "null", "inf", "nan", "on", "off", "yes", "no"}
)
TRICKY = st.sampled_from(
    ["", " ", "null", "NULL", "true", "Off", "nan", ".5", ".5e3", "1e5", "0x10", "1_0", "it's",
     "\\", "\\'", "a\\b", "a'\\", "${a.b}", "a,b", "[x]", "{a:1}", "choice(1,2)", "a:b", "a=b", "~",
     "x y", "a\nb", "\t", "#", "é", "\\\\'", "''", '"', "+inf", "-1", "glob(*)"]
)  # fmt: skip
TEXTS = st.one_of(TRICKY, st.text(max_size=20), st.text("\\'\" ,:.=[]{}$()ax0", max_size=12))
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False), TEXTS,
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
)


def read(argument: str) -> object:
    return PARSER.parse_override(argument).value()


def same(one: object, other: object) -> bool:
    """Whether values and their types are the same, at every depth: 1 is not 1.0, nor true."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(map(same, one.values(), other.values()))
    return type(one) is type(other) and one == other


@settings(max_examples=300, deadline=None)
@given(value=VALUES)
def test_hydra_reads_back_the_value_with_its_type(value):
    assert same(read(override("a.b", value)), value), spell(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (8, "8"),
        (8.0, "8.0"),
        (1e-06, "1e-06"),
        ("Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-0.5B"),
        ("true", "'true'"),
        (".5", "'.5'"),
        ("two words", "'two words'"),
        ("it's", r"'it\'s'"),
        (["console", "file"], "[console,file]"),
        ({"dtype": "fp32"}, "{dtype:fp32}"),
    ],
)
def test_plain_values_stay_readable(value, text):
    assert spell(value) == text


@pytest.mark.parametrize("key", ["a", "a.b_c", "+a.b", "++a.b", "~a", "model/engine", "a@b.c"])
def test_keys_of_a_config_are_taken(key):
    assert override(key, 1) == f"{key}=1"
    assert PARSER.parse_override(override(key, 1)).input_line == f"{key}=1"


@pytest.mark.parametrize("key", ["", "--config-dir", "-m", "a=b", "a b", "a,b", "$x", "a\nb", "1"])
def test_what_is_no_key_never_reaches_the_program(key):
    with pytest.raises(Refused, match="no key of the trainer's config"):
        override(key, 1)


@pytest.mark.parametrize("key", ["", "1", "true", "Null", "a:b", "a'b", "a b", "1e3"])
def test_a_key_of_a_mapping_that_would_be_read_as_something_else_is_refused(key):
    with pytest.raises(Refused, match="cannot be a key of a mapping"):
        override("a", [{key: 1}])
