"""Trees that are planted, watered and cut."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from blockfold import Context, Machine, Reject, State, action

TreeName = Annotated[str, Meta(min_length=1, max_length=100)]
Litres = Annotated[int, Meta(ge=1, le=1_000)]


class Forest(Machine):
    """A forest: one key ``tree/<name>`` for each standing tree, and ``cut`` counts the others."""

    @action(keys="tree/{tree}")
    def plant(
        self, state: State, context: Context, tree: TreeName, species: Literal["oak", "pine"]
    ) -> None:
        """Plant a tree where none of that name stands."""
        if f"tree/{tree}" in state:
            raise Reject(f"a tree named {tree} stands here already")
        state[f"tree/{tree}"] = {
            "species": species,
            "planted": context.time.isoformat(),
            "by": context.sender,
            "litres": 0,
        }

    @action(keys="tree/{tree}")
    def water(self, state: State, context: Context, tree: TreeName, litres: Litres = 10) -> None:
        """Give a tree water."""
        if f"tree/{tree}" not in state:
            raise Reject(f"no tree named {tree} stands here")
        state[f"tree/{tree}"]["litres"] += litres

    @action(keys="tree/{tree}")
    def cut(self, state: State, context: Context, tree: TreeName) -> None:
        """Fell a tree and say so."""
        if f"tree/{tree}" not in state:
            raise Reject(f"no tree named {tree} stands here")
        felled = state.pop(f"tree/{tree}")
        state["cut"] = state.get("cut", 0) + 1
        context.emit("TreeCut", tree=tree, species=felled["species"])
