"""The reader: what it reads it reads as JSON would, and everything else it refuses."""

import json
import math

import pytest
import yaml as pyyaml
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import InvalidSpec
from runner.spec import scalars, yaml
from runner.spec.node import Node
from runner.spec.yaml import parse

LIMIT = scalars.LARGEST
visible = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Cf", "Cn", "Co"]), max_size=20
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-LIMIT, LIMIT)
    | st.floats(allow_nan=False, allow_infinity=False)
    | visible,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(visible, inner, max_size=4),
    max_leaves=12,
)


def read(text: str) -> dict:
    return parse(text.encode(), "x.yaml").data


def value(text: str):
    return read(f"a: {text}\n")["a"]


def refused(text: str | bytes):
    with pytest.raises(InvalidSpec) as caught:
        parse(text if isinstance(text, bytes) else text.encode(), "x.yaml")
    return caught.value.findings


@given(st.dictionaries(visible, values, min_size=1, max_size=4))
def test_json_is_read_as_json(data):
    assert read(json.dumps(data, ensure_ascii=False)) == data


@given(st.dictionaries(visible, values, min_size=1, max_size=4))
def test_what_a_yaml_writer_writes_is_read_back(data):
    class Dumper(pyyaml.SafeDumper):
        def ignore_aliases(self, data):
            return True

    Dumper.add_representer(
        str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="'")
    )
    assert read(pyyaml.dump(data, Dumper=Dumper, allow_unicode=True, width=10**6)) == data


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["{!r}", "{:.17e}", "{:.17E}"]),
)
def test_every_spelling_of_a_number_is_that_number(number, spelling):
    found = value(spelling.format(number))
    assert found == number
    assert math.copysign(1, found) == math.copysign(1, number)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-6", 1e-6), ("1.0e-6", 1e-6), ("1E-6", 1e-6), ("0.000001", 1e-6), (".5", 0.5),
        ("1.", 1.0), ("+3", 3), ("-7", -7), ("0o17", 15), ("0x1F", 31), ("0", 0), ("-0", 0),
        ("true", True), ("True", True), ("FALSE", False), ("null", None), ("~", None), ("", None),
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("y", "y"),
        ("1:30", "1:30"), ("2024-01-01", "2024-01-01"), ("1_000", "1_000"), ("0b11", "0b11"),
        ("1e", "1e"), ("1.2.3", "1.2.3"), ("-", "-"), ("=", "="), ("0o8", "0o8"), ("0xg", "0xg"),
        ("'1'", "1"), ('"true"', "true"), ("'~'", "~"), ("H100:8", "H100:8"),
        ("verl==0.9.1", "verl==0.9.1"),
    ],
)  # fmt: skip
def test_scalars_mean_what_yaml_1_2_says(text, expected):
    found = value(text) if text != "-" and text != "=" else scalars.resolve(text)
    assert found == expected
    assert type(found) is type(expected)


@given(
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.text("{}[]:,-?!&*#|>'\"%@` \n\tab1~<=.", max_size=60).map(str.encode)
    | st.binary(max_size=60)
)
def test_no_file_escapes_as_anything_but_findings(text):
    for finding in findings_of(text):
        assert finding.path == "x.yaml"
        assert min(finding.line, finding.column) > 0
        assert finding.message
        assert finding.cure


def findings_of(text: bytes):
    try:
        parse(text, "x.yaml")
    except InvalidSpec as invalid:
        return invalid.findings
    return ()


def test_marks_name_the_places_of_values_and_keys():
    marks = parse(b"# first\na:\n  b: [1, x]\nc: {d: 2}\n", "x.yaml").marks
    assert marks.value(("a", "b", 1)) == ("x.yaml", 3, 10)
    assert marks.key(("a", "b")) == ("x.yaml", 3, 3)
    assert marks.value(("c", "d")) == ("x.yaml", 4, 8)
    assert marks.value(("c", "missing")) == ("x.yaml", 4, 1)
    assert marks.value(("nothing", "there")) == ("x.yaml", 2, 1)


def test_columns_count_characters_not_bytes():
    (finding,) = refused("'äöü😀': &x 1\n")
    assert (finding.line, finding.column) == (1, 9)


def test_several_findings_come_at_once_in_order():
    findings = refused("a: 1\na: 2\nb: &x 1\nc: *x\nd: !!int 3\ne: .inf\n5: 1\n")
    assert [one.line for one in findings] == [2, 3, 4, 5, 6, 7]
    assert {one.rule for one in findings} == {"spec.duplicate_key", "spec.syntax", "spec.value"}


def test_duplicates_are_found_at_any_depth_and_name_the_first_line():
    (finding,) = refused("a:\n  b:\n    - {c: 1}\n    - {c: 1,\n       c: 2}\n")
    assert (finding.line, finding.column, finding.key) == (5, 8, "a.b[1].c")
    assert finding.message == "the key `c` stands twice; first on line 4"


def test_a_byte_order_mark_at_the_start_and_windows_line_ends_do_no_harm():
    assert parse("\ufeffa: 1\r\nb: 2\r\n".encode(), "x.yaml").data == {"a": 1, "b": 2}


def test_escapes_cannot_smuggle_in_what_the_file_may_not_hold():
    (finding,) = refused('a: "\\x1b[31m"\n')
    assert "U+001B" in finding.message


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (b"[" * 1_000_000, "spec.limit"),
        (b"[" * 200_000, "spec.limit"),
        (b"{a: " * 30_000, "spec.limit"),
        (b"- " * 100_000, "spec.limit"),
        (b"? " * 100_000, "spec.syntax"),
        (b"a: [" + b"1," * 100_000 + b"]", "spec.limit"),
        (b"a: " + b"9" * 200_000, "spec.limit"),
        (b"a: " + b"1" * 200_000 + b"e1", "spec.value"),
        (b"&a " * 50_000, "spec.syntax"),
        (b"".join(b"a: 1\n" for _ in range(4000)), "spec.duplicate_key"),
        (b"a: " + b"!" * 200_000, "spec.syntax"),
        (b"%" * 200_000, "spec.syntax"),
        (b"'" * 200_001, "spec.syntax"),
        (b"\x00" * 200_000, "spec.syntax"),
        (b"\t\n a: 1\n" * 20_000, "spec.syntax"),
    ],
)
@pytest.mark.timeout(10)
def test_hostile_files_cost_no_more_than_honest_ones(text, rule):
    findings = refused(text)
    assert findings[0].rule == rule
    assert len(findings) <= 51
    assert all(len(one.message) < 200 for one in findings)


def test_the_pure_python_parser_reads_the_same(monkeypatch):
    texts = [
        "a: 1e-6\nb: [x, {c: no}]\n",
        "a: 'x\n",
        "a: [1\n",
        "a: @x\n",
        "a: 1\n---\nb: 1\n",
        "a: &x 1",
    ]
    with_c = [_outcome(text) for text in texts]
    monkeypatch.setattr(yaml, "_Loader", pyyaml.SafeLoader)
    assert [_outcome(text) for text in texts] == with_c


def _outcome(text: str) -> Node | list[tuple[int, str]]:
    try:
        return parse(text.encode(), "x.yaml").root
    except InvalidSpec as invalid:
        return [(one.line, one.message) for one in invalid.findings]
