"""A machine whose reducers do everything that reducers should not."""

from __future__ import annotations

from blockfold import Context, Machine, Reject, State, action


class Trial(Machine):
    """Keeps values, and misbehaves on demand."""

    @action
    def keep(self, state: State, context: Context, key: str, value: object) -> None:
        state[key] = value  # type: ignore[assignment]

    @action
    def count(self, state: State, context: Context) -> None:
        state["count"] = state.get("count", 0) + 1

    @action
    def refuse(self, state: State, context: Context) -> None:
        state["refused"] = True
        raise Reject("not today")

    @action
    def crash(self, state: State, context: Context) -> None:
        state["crashed"] = True
        raise SystemExit(3)

    @action
    def loop(self, state: State, context: Context) -> None:
        state["looped"] = True
        while True:
            pass

    @action
    def emit(self, state: State, context: Context, text: str) -> None:
        context.emit("Said", text=text)
