"""A calculator that the policy may call during a rollout (`rollout.multi_turn.tools`).

Arithmetic on decimal numbers: + - * / // % ** and parentheses, exact, on fractions. An expression
is parsed and walked; nothing is evaluated as Python, there are no names, calls or attributes, and
its length and the size of every number in between are bounded, so that each call takes little time.

Where verl is installed the function is registered as its tool, with the signature and the text
below as what the model reads. Otherwise it is a function.
"""

import ast
import importlib.util
import operator
from collections.abc import Callable
from fractions import Fraction

# What the calculator returns: (expression, text); None where it raises ValueError.
CASES: list[tuple[str, str | None]] = [
    ("6*7", "42"),
    (" 2 + 3 * (4 - 1) ", "11"),
    ("1/3 + 1/3 + 1/3", "1"),
    ("0.1 + 0.2", "0.3"),
    ("10 / 4", "2.5"),
    ("2/3", "0.666666666667"),
    ("7 // 2", "3"),
    ("-7 % 3", "2"),
    ("2**10", "1024"),
    ("2**-2", "0.25"),
    ("--3", "3"),
    ("1e3", "1000"),
    ("1/0", None),
    ("", None),
    ("6*", None),
    ("x + 1", None),
    ("1,000 * 2", None),
    ("True + 1", None),
    ("'a' * 9", None),
    ("4 if 1 else 2", None),
    ("2**0.5", None),
    ("9**9**9", None),
    ("2**4000/7", None),
    ("1e999", None),
    ("__import__('os').getcwd()", None),
    ("(1).__class__", None),
    ("[1 for _ in (1,)]", None),
    ("(" * 150 + "1" + ")" * 150, None),
    ("1" + "+1" * 150, None),
]

LONGEST_EXPRESSION = 200
"""Characters."""
LARGEST_NUMBER = 4096
"""Bits of a numerator and denominator together."""

_BINARY: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: lambda left, right: Fraction(left // right),
    ast.Mod: operator.mod,
}


def calculator(expression: str) -> str:
    """Compute an arithmetic expression, such as 12 * (3 + 4) / 2.

    Args:
        expression: Numbers without commas or units, the operators + - * / // % ** and parentheses.

    """
    if len(expression) > LONGEST_EXPRESSION:
        raise ValueError(f"the expression is longer than {LONGEST_EXPRESSION} characters")
    try:
        tree = ast.parse(expression.strip(), mode="eval")
        return written(value_of(tree.body))
    except ZeroDivisionError:
        raise ValueError("division by zero") from None
    except OverflowError:
        raise ValueError("a number is too large") from None
    except (SyntaxError, RecursionError, MemoryError):
        raise ValueError(f"{expression!r} is no arithmetic expression") from None


def value_of(node: ast.expr) -> Fraction:
    """The value of an expression. Raises ValueError for what is no arithmetic or too large."""
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            value = Fraction(str(number))  # what was written: 0.1 is a tenth
        case ast.UnaryOp(op=ast.USub()):
            value = -value_of(node.operand)
        case ast.UnaryOp(op=ast.UAdd()):
            value = value_of(node.operand)
        case ast.BinOp(op=ast.Pow()):
            value = power(value_of(node.left), value_of(node.right))
        case ast.BinOp() if type(node.op) in _BINARY:
            value = _BINARY[type(node.op)](value_of(node.left), value_of(node.right))
        case _:
            raise ValueError("only numbers, + - * / // % ** and parentheses are known")
    if bits(value) > LARGEST_NUMBER:
        raise ValueError("a number is too large")
    return value


def power(base: Fraction, exponent: Fraction) -> Fraction:
    """A whole power. Raises ValueError for others, and for what would be too large."""
    if exponent.denominator != 1:
        raise ValueError("exponents have to be whole numbers")
    if bits(base) * abs(exponent) > LARGEST_NUMBER:
        raise ValueError("a number is too large")
    return Fraction(base ** int(exponent))


def bits(value: Fraction) -> int:
    """The size of a number: bits of its numerator and denominator."""
    return value.numerator.bit_length() + value.denominator.bit_length()


def written(value: Fraction) -> str:
    """A whole number in full, any other with twelve significant digits."""
    return str(value.numerator) if value.denominator == 1 else f"{float(value):.12g}"


if importlib.util.find_spec("verl"):
    from verl.tools.function_tool import function_tool

    function_tool(calculator)
