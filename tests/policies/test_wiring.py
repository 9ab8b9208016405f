"""From the stack's environment to the schedule of new machines, and to the queue of checks."""

from __future__ import annotations

import pytest

from blockfold.bootstrap import Adapters, announcer, checker, restorer
from blockfold.domain.errors import Misconfigured
from blockfold.domain.policy import Policy
from blockfold.domain.schedule import Schedule
from blockfold.settings import Settings
from tests.contracts import resources
from tests.emulator import BareEmulator

ENVIRONMENT = {
    f"BLOCKFOLD_{name}": name.lower()
    for name in ("BLOCKS_TABLE", "STATE_TABLE", "MACHINES_TABLE", "SNAPSHOTS_BUCKET", "MACHINE")
}
CHECKS = {"BLOCKFOLD_CHECKS_QUEUE_URL": "http://127.0.0.1/000000000000/checks"}


def settings(**variables: str) -> Settings:
    named = {f"BLOCKFOLD_{name}": value for name, value in variables.items()}
    return Settings.from_environment({**ENVIRONMENT, **named})


def test_the_environment_gives_the_policy_of_new_machines(emulator: BareEmulator) -> None:
    assert settings().policy is None
    found = settings(QUIET="30", MINUTES="60", BYTES="10000000", COUNT="5")
    assert found.policy == Policy(quiet=30, minutes=60, bytes=10_000_000)
    adapters = Adapters(found, resources.clients_of(emulator))
    assert restorer(adapters).schedule == Schedule.new(5, found.policy)


@pytest.mark.parametrize("variables", [{"QUIET": "30s"}, {"MINUTES": "0"}, {"BYTES": "-1"}])
def test_an_environment_that_cannot_be_is_refused(variables: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match="must be a whole number"):
        settings(**variables)


def test_announcer_and_dumper_must_know_the_queue_of_checks(emulator: BareEmulator) -> None:
    clients = resources.clients_of(emulator)
    without = Adapters(settings(EVENT_BUS="bus"), clients)
    for wire in (announcer, checker):
        with pytest.raises(Misconfigured, match="lacks BLOCKFOLD_CHECKS_QUEUE_URL"):
            wire(without)
    known = Settings.from_environment({**ENVIRONMENT, **CHECKS, "BLOCKFOLD_EVENT_BUS": "bus"})
    adapters = Adapters(known, clients)
    assert announcer(adapters).checks is checker(adapters).checks is adapters.checks
