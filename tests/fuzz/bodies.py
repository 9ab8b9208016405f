"""Malformed message bodies, made from a seed: mutations of good ones, and what JSON allows."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

GOOD = '{"type":"note","args":{"text":"good"},"id":"a-1"}'

WORDS = (
    *("{", "}", "[", "]", ",", ":", '"', "\\", "null", "true", "NaN", "Infinity", "-", "1e999"),
    *("\\ud800", "\\u0000", "\x00", "\ud800", "\udfff", "\ufeff", "é", "\U0001f600", "\u2028", "'"),
    *("-0", "1.0", "1e-400", "0x1", "01", "+1", "1_0", '"type"', '"args"', '"id"', "\x7f", "\r"),
    *('{"type":"note"}', '"text":', "9" * 400, "//", "/**/", "\\x41", "\\", "undefined", "\t"),
)

ODD_VALUES = (
    *(
        "NaN",
        "-Infinity",
        "1e400",
        "1e-400",
        "9" * 5_000,
        "-" + "9" * 39,
        "1e126",
        "0." + "0" * 200,
    ),
    *('"\\ud800"', '"\\udc00x"', '"' + "x" * 1_000 + '"', "[" * 30 + "]" * 30, "{}", "[]", "null"),
    *('{"":1}', '{"a":1,"a":2}', '{"\\ud800":1}', "true", "-0.0", "1.5", '"\x7f"', '"é"'),
)

Maker = Callable[[Random], str]


def _mutated(random: Random) -> str:
    """A good body with characters changed, cut, doubled, or words put in."""
    text = list(GOOD if random.random() < 0.7 else f"[{GOOD},{GOOD}]")
    for _ in range(random.randrange(1, 5)):
        at = random.randrange(len(text) + 1)
        change = random.randrange(4)
        if change == 0:
            text[at:at] = random.choice(WORDS)
        elif change == 1:
            del text[at : at + random.randrange(1, 8)]
        elif change == 2:
            text[at : at + 1] = chr(
                random.choice((random.randrange(128), random.randrange(0xFFFF)))
            )
        else:
            text[at:at] = text[: random.randrange(len(text) + 1)]
    return "".join(text)


def _words(random: Random) -> str:
    return "".join(random.choices(WORDS, k=random.randrange(12)))


def _characters(random: Random) -> str:
    return "".join(chr(random.randrange(0x500)) for _ in range(random.randrange(40)))


def _fields(random: Random) -> str:
    """An object with fields that are missing, repeated, unknown or of other types."""
    names = ("type", "args", "id", "text", "Type", "", "__class__", "ty\\u0070e")
    shown = []
    for _ in range(random.randrange(5)):
        value = random.choice(
            (*ODD_VALUES, '"note"', '{"text":"x"}', '{"text":1}', '{"text":"x","more":1}')
        )
        shown.append(f'"{random.choice(names)}":{value}')
    return "{" + ",".join(shown) + "}"


def _argument(random: Random) -> str:
    """A note whose text is something else."""
    name = random.choice(("text", "text", "text", "state", "self", "context", "t\\u0065xt"))
    return f'{{"type":"note","args":{{"{name}":{random.choice(ODD_VALUES)}}}}}'


def _array(random: Random) -> str:
    """Many in one message, good and bad."""
    parts = [
        random.choice((_fields, _argument, _words))(random) for _ in range(random.randrange(6))
    ]
    return f"[{','.join(parts)}]"


def _nested(random: Random) -> str:
    deep = random.choice((29, 100, 1_000, 5_000))
    opened, closed = random.choice((("[", "]"), ('{"a":', "}"), ("[1,", "]")))
    inner = opened * deep + "1" + closed * random.choice((deep, deep, deep - 1, 0))
    return (
        random.choice(('{"type":"note","args":{"text":%s}}', "%s", "[%s]", '{"type":%s}')) % inner
    )


def _scalar(random: Random) -> str:
    return random.choice(ODD_VALUES)


MAKERS: tuple[Maker, ...] = (
    *(_mutated, _mutated, _mutated, _words, _characters, _fields, _argument, _array, _scalar),
)


def body(random: Random) -> str:
    """A body that is most likely no good; as SQS takes them, it is not empty."""
    maker = _nested if random.random() < 0.002 else random.choice(MAKERS)
    return maker(random) or json.dumps(None)


def large(random: Random, many: int = 1024 * 1024) -> list[str]:
    """Bodies of 1 MiB, the most that SQS takes.

    Args:
        random: For the one of anything.
        many: Bytes of those that hold as many elements as fit.
    """
    mib = 1024 * 1024
    return [
        "[" * mib,
        '{"a":' * (mib // 5),
        "[" * (mib // 2) + "]" * (mib // 2),
        "9" * mib,
        "[" + "9" * (mib - 2) + "]",
        '{"type":"note","args":{"text":' + "9" * (mib - 40) + "}}",
        '{"type":"note","args":{"text":"' + "\\u0000" * (mib // 6 - 10) + '"}}',
        "\x00" * mib,
        '"' + "é" * (mib // 2 - 1) + '"',
        "[" + "1," * (many // 2 - 2) + "1]",
        '{"type":"note","args":{' + ",".join(f'"k{n}":{n}' for n in range(60_000)) + "}}",
        '{"type":"' + "x" * (mib - 12) + '"}',
        '{"type":"note","id":"' + "x" * (mib - 30) + '"}',
        "[" + ",".join("{}" for _ in range(many // 3 - 1)) + "]",
        random.randbytes(mib // 4).decode("latin-1"),
    ]
