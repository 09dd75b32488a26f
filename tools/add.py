"""A tool that adds two integers, for smoke experiments with tool calls.

Where verl is installed it is registered as verl's tool: the signature and the text below are what
the model reads. Otherwise it is a function.
"""

import importlib.util


def add(a: int, b: int) -> str:
    """Add two integers.

    Args:
        a: first number
        b: second number

    """
    return str(a + b)


if importlib.util.find_spec("verl"):
    from verl.tools.function_tool import function_tool

    function_tool(add)
