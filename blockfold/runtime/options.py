"""What a `Runtime` may be given besides its code and its id, as types."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from blockfold.domain.apply import Guard
    from blockfold.domain.limits import Limits
    from blockfold.domain.policy import Policy
    from blockfold.recorders.protocol import Recorder
    from blockfold.recorders.quiet import TimedClock
    from blockfold.recorders.snapshot import Snapshot
    from blockfold.runtime.ports import Channel, Reader, Writer


class ForkOptions(TypedDict, total=False):
    """What a fork may be given; see `Runtime` for what each means."""

    channel: Channel | None
    reader: Reader | None
    writer: Writer | None
    recorder: Recorder | None
    clock: TimedClock | None
    limits: Limits
    guard: Guard
    count: int | None
    policy: Policy | None
    patience: float


class Options(ForkOptions, total=False):
    """What a runtime may be given; see `Runtime` for what each means."""

    start: Snapshot | None
