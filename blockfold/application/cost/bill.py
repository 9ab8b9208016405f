"""A bill: lines of units, prices and dollars."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a bill.

    Attributes:
        service: The service's name.
        what: What is paid for.
        units: How many.
        unit: Of what.
        price: Dollars for a unit.
        fixed: It does not depend on how many actions there are.
    """

    service: str
    what: str
    units: float
    unit: str
    price: float
    fixed: bool = False

    @property
    def dollars(self) -> float:
        """What the line comes to."""
        return self.units * self.price


@dataclass(frozen=True, slots=True)
class Bill:
    """What a month costs.

    Attributes:
        lines: The lines, service by service.
        actions: How many actions they are for.
        notes: What was assumed, and what should be known.
    """

    lines: tuple[Line, ...]
    actions: float
    notes: tuple[str, ...] = ()

    @property
    def dollars(self) -> float:
        """All lines together."""
        return sum(line.dollars for line in self.lines)

    @property
    def per_million(self) -> float:
        """Dollars per million actions."""
        return self.dollars / self.actions * 1e6

    def of(self, service: str, what: str = "") -> float:
        """Dollars of a service, or of those of its lines that begin with something."""
        return sum(
            line.dollars
            for line in self.lines
            if line.service == service and line.what.startswith(what)
        )

    @property
    def services(self) -> dict[str, float]:
        """Dollars by service, in the order of the lines."""
        return {line.service: self.of(line.service) for line in self.lines}
