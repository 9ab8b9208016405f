"""What one seed means: how large a world, which faults at which rates, which moves how often.

Swarm testing (Groce and others, ISSTA 2012): each seed has only some of the faults and moves, so
that none always hides what another would show.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from random import Random
from typing import Any

FAULTS = {
    "kill before": (0.5, (0.003, 0.01, 0.03)),
    "kill after": (0.5, (0.003, 0.01, 0.03)),
    "freeze before": (0.5, (0.005, 0.02, 0.05)),
    "freeze after": (0.35, (0.005, 0.03)),
    "lose answer": (0.5, (0.005, 0.03, 0.1)),
    "no answer": (0.3, (0.005, 0.03)),
    "throttle": (0.4, (0.01, 0.05)),
    "broken": (0.3, (0.005, 0.03)),
    "conflict": (0.3, (0.05, 0.2)),
    "part before": (0.4, (0.02, 0.1, 0.3)),
    "part after": (0.3, (0.02, 0.1)),
    "slow": (0.3, (0.005, 0.03)),
    "stream lost": (0.3, (0.05, 0.2)),
    "stream twice": (0.4, (0.1, 0.3)),
    "event lost": (0.4, (0.1, 0.5)),
    "event twice": (0.4, (0.1, 0.3)),
    "settle lost": (0.4, (0.1, 0.4)),
    "cold": (0.7, (0.1, 0.5, 1.0)),
    "second environment": (0.6, (0.2, 0.6)),
}
"""Fault → how likely a seed has it, and the rates that it may have then: for each call, delivery or
invocation that it can strike."""

MOVES = {
    "send": (1.0, (6, 12)),
    "execute": (1.0, (6, 12)),
    "announce": (0.9, (1, 4)),
    "archive": (0.9, (1, 4)),
    "event": (0.9, (1, 4)),
    "check": (0.4, (1, 2)),
    "settings": (0.5, (1, 2)),
    "policy": (0.2, (1,)),
    "dump": (0.3, (1,)),
    "restore": (0.5, (1, 3)),
    "resume": (0.3, (1,)),
    "fork": (0.35, (1,)),
    "sweep": (0.5, (1, 2)),
    "certify": (0.5, (1, 2)),
    "retention": (0.5, (1, 2)),
    "prune": (0.6, (1, 3)),
    "read": (0.5, (1, 4)),
    "read past": (0.3, (1,)),
    "age": (0.3, (1,)),
    "jump": (0.6, (1, 3)),
    "leap": (0.4, (1, 2)),
    "expire": (0.6, (1, 2)),
}
"""Move → how likely a seed has it, and how often it may be made beside the others."""


PRODUCER_MOVES = {"produce": (4, 10), "lose": (1, 3), "redrive": (1, 2)}
"""Move → how often it may be made, in a seed that has idempotent producers."""

PRODUCING = 0.5
"""How many seeds have them."""

FOCUSED = 0.25
"""How many seeds have few kinds of moves."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A run, told by these numbers alone.

    Attributes:
        seed: Where all its randomness comes from.
        only: The turns that are taken, the others are left out; None takes all. Each has chances
            of its own, which it keeps.
        off: Faults that do not strike, though they are drawn.
        machines: Message groups that producers send to.
        sends: Messages at most.
        turns: How often something is decided before faults end.
        grain: How likely a process goes on rather than something new begins.
        switch: How likely a call lets others go first.
        faults: Fault → rate.
        moves: Move → how often beside the others.
        keys: Keys that actions touch.
        count: The dumper count of new machines.
        page: Items of a page.
        inline: Bytes of a body that stay in the block's item.
        block: Actions that fill a block.
        tail: Writes that the state table may lag by.
        skew: Milliseconds that the clocks of two environments may be apart.
        stale: How likely an eventually consistent read misses what was just written.
        late: Whether producers try again past five minutes.
        rest: Whether producers send all that is left when faults are over.
        producers: Idempotent producers, each of which sends to every machine; 0 is none.
    """

    seed: int
    only: tuple[int, ...] | None = None
    off: tuple[str, ...] = ()
    machines: int = 1
    sends: int = 10
    turns: int = 100
    grain: float = 0.8
    switch: float = 0.3
    faults: dict[str, float] = field(default_factory=dict)
    moves: dict[str, int] = field(default_factory=dict)
    keys: int = 6
    count: int = 2
    page: int = 100
    inline: int = 8192
    block: int = 10_000
    tail: int = 20_000
    skew: int = 0
    stale: float = 0.0
    late: bool = False
    rest: bool = True
    producers: int = 0

    @classmethod
    def of(cls, seed: int) -> Plan:
        """The plan of a seed."""
        random = Random(f"plan/{seed}")
        faults = {
            name: random.choice(rates)
            for name, (likely, rates) in FAULTS.items()
            if random.random() < likely
        }
        moves = {
            name: random.choice(often)
            for name, (likely, often) in MOVES.items()
            if random.random() < likely
        }
        plan = cls(
            seed=seed,
            machines=random.choice((1, 1, 2, 2, 3)),
            sends=random.randint(4, 14),
            turns=random.choice((40, 60, 80)),
            grain=random.choice((0.5, 0.7, 0.85, 0.95)),
            switch=random.choice((0.05, 0.2, 0.5)),
            faults=faults,
            moves=moves,
            keys=random.choice((1, 2, 4, 6)),
            count=random.choice((0, 1, 2, 2, 3, 4)),
            page=random.choice((1, 2, 3, 100)),
            inline=random.choice((8192, 8192, 64)),
            block=random.choice((10_000, 10_000, 1, 2)),
            tail=random.choice((20_000, 20_000, 0, 3)),
            skew=random.choice((0, 0, 300, 5_000)),
            stale=random.choice((0.0, 0.0, 0.5)),
            late=random.random() < 0.4,
            rest=random.random() < 0.5,
        )
        plan = plan.focused(random) if random.random() < FOCUSED else plan
        return plan.produced(Random(f"producers/{seed}"))

    def produced(self, random: Random) -> Plan:
        """The same with idempotent producers, or without."""
        if random.random() >= PRODUCING:
            return self
        moves = {name: random.choice(often) for name, often in PRODUCER_MOVES.items()}
        return replace(
            self, producers=random.choice((1, 2)), moves={**self.moves, **moves, "jump": 2}
        )

    def focused(self, random: Random) -> Plan:
        """The same with few kinds of moves, each of them often: what they do to each other."""
        others = sorted(MOVES.keys() - {"send", "execute"})
        moves = dict.fromkeys(random.sample(others, 4), 4)
        return replace(self, moves={"send": 8, "execute": 10, **moves})

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """A plan as `to_json` wrote it."""
        fields = json.loads(text)
        lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
        return cls(**{**fields, **lists})

    @property
    def taken(self) -> tuple[int, ...]:
        """The turns that are taken."""
        return tuple(range(self.turns)) if self.only is None else self.only

    def to_json(self) -> str:
        """The plan in one line."""
        return json.dumps(asdict(self), separators=(",", ":"))

    def simpler(self) -> list[tuple[str, Any]]:
        """What could be left out, other than turns: for `changed`."""
        found: list[tuple[str, Any]] = [
            ("off", name) for name in self.faults if name not in self.off
        ]
        found += [("sends", number) for number in (1, 2, 4) if number < self.sends]
        plain = {**asdict(Plan(self.seed)), "rest": False}
        names = ("rest", "skew", "stale", "late", "page", "inline", "block", "tail", "producers")
        return found + [(name, plain[name]) for name in names if getattr(self, name) != plain[name]]

    def changed(self, change: tuple[str, Any]) -> Plan:
        """The plan with one of the changes that `simpler` names."""
        name, value = change
        return replace(self, **{name: (*self.off, value) if name == "off" else value})
