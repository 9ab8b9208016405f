"""Words that no expression may have as an attribute's name, as moto lists them.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

_moto = find_spec("moto")
assert _moto is not None
assert _moto.submodule_search_locations is not None
_LIST = Path(_moto.submodule_search_locations[0]) / "dynamodb/parsing/reserved_keywords.txt"

RESERVED = frozenset(_LIST.read_text("ascii").upper().split())
