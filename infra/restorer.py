"""The restorer: the function that brings a block of the past back."""

from __future__ import annotations

from constructs import Construct

from infra.function import LONGEST, BlockfoldFunction, FunctionBase


class Restorer(BlockfoldFunction):
    """Is invoked by people and programs that may do so, and by the restore workflow."""

    def __init__(self, scope: Construct, id_: str, *, base: FunctionBase) -> None:
        """Make the function."""
        super().__init__(
            scope,
            id_,
            description="Blockfold: restores an earlier block in place or as another machine",
            base=base,
            timeout=LONGEST,
        )
