"""Batches that are done in part, answers that are lost: injected around the real store."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ClientError, ReadTimeoutError
from msgspec.structs import replace
from urllib3 import HTTPResponse

from blockfold.adapters import backoff
from blockfold.adapters.dynamodb import DynamoBlockLog, DynamoMachines, DynamoStateTable, state
from blockfold.adapters.s3 import PUT_ATTEMPTS, S3ObjectStore
from blockfold.bootstrap import Adapters
from blockfold.domain.canonical import Json, encode, encode_value
from blockfold.domain.errors import BlockConflict, Misconfigured, NotFound, Unavailable
from blockfold.ports import Row, Write
from tests.contracts.samples import chain, new_machine

Answer = dict[str, Any]
Operation = Callable[..., Answer]
Injection = Callable[[Operation, Answer], Answer]

RETRYABLE = [
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
    "RequestLimitExceeded",
    "TransactionConflict",
    "InternalServerError",
]


class Injecting:
    """A real client, with an injection for each next call of one operation."""

    def __init__(self, client: Any, operation: str, injections: Iterator[Injection]) -> None:
        self._client = client
        self._operation = operation
        self._injections = injections
        self.requests: list[Answer] = []

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._client, name)
        if name != self._operation:
            return real

        def call(**request: Any) -> Answer:
            self.requests.append(request)
            injection = next(self._injections, None)
            return real(**request) if injection is None else injection(real, request)

        return call


def every_other_refused(code: str) -> Injection:
    """Half of the statements are done, the others refused."""

    def inject(real: Operation, request: Answer) -> Answer:
        done = iter(real(Statements=request["Statements"][::2])["Responses"])
        error = {"Error": {"Code": code, "Message": "injected"}}
        return {
            "Responses": [
                error if position % 2 else next(done)
                for position in range(len(request["Statements"]))
            ]
        }

    return inject


def all_answer(error: Answer) -> Injection:
    """Nothing is done, every statement answers alike."""

    def inject(_real: Operation, request: Answer) -> Answer:
        return {"Responses": [{"Error": error} for _ in request["Statements"]]}

    return inject


def half_done_then_lost(real: Operation, request: Answer) -> Answer:
    real(Statements=request["Statements"][: len(request["Statements"]) // 2])
    raise ReadTimeoutError(endpoint_url="http://injected")


def done_then_lost(real: Operation, request: Answer) -> Answer:
    real(**request)
    raise ReadTimeoutError(endpoint_url="http://injected")


def refused_whole(_real: Operation, _request: Answer) -> Answer:
    raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "injected"}}, "X")


def half_unprocessed(real: Operation, request: Answer) -> Answer:
    ((table, asked),) = request["RequestItems"].items()
    keys = asked["Keys"]
    cut = len(keys) // 2
    answer = real(RequestItems={table: {**asked, "Keys": keys[:cut]}}) if cut else {"Responses": {}}
    return {**answer, "UnprocessedKeys": {table: {**asked, "Keys": keys[cut:]}}}


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between tries, taken down instead of waited."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


def writes(count: int) -> list[Write]:
    return [Write(f"k{n:03d}", encode(n) if n % 5 else None, 2, n % 3 == 0) for n in range(count)]


def rows(count: int) -> list[Row]:
    return [Row(write.key, write.value, write.block) for write in writes(count)]


class TestMachines:
    def test_records_left_out_of_an_answer_are_asked_for_again(
        self, ministack: Adapters, waits: list[float]
    ) -> None:
        known = [new_machine() for _ in range(7)]
        for machine in known:
            ministack.machines.register(machine)
        injections = [half_unprocessed] * 2
        client: Any = Injecting(ministack.clients.dynamodb, "batch_get_item", iter(injections))
        found = DynamoMachines(client, ministack.settings.machines_table).get_many(known)
        assert found == {machine: ministack.machines.get(machine) for machine in known}
        assert (len(client.requests), len(waits)) == (3, 2)

    def test_a_hundred_records_are_one_request(self, ministack: Adapters) -> None:
        """As many as the announcer gets at once."""
        client: Any = Injecting(ministack.clients.dynamodb, "batch_get_item", iter(()))
        machines = DynamoMachines(client, ministack.settings.machines_table)
        asked = [new_machine() for _ in range(101)]
        assert machines.get_many(asked[:100]) == {}
        assert len(client.requests) == 1
        machines.get_many(asked)
        assert len(client.requests) == 3


class TestStateTable:
    @pytest.fixture(autouse=True)
    def one_lane(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Requests one after the other, for tests that look at their order."""
        monkeypatch.setattr(state, "LANES", 1)

    def flaky(
        self, on: Adapters, operation: str, injections: list[Injection] | Iterator[Injection]
    ) -> tuple[DynamoStateTable, Injecting]:
        client: Any = Injecting(on.clients.dynamodb, operation, iter(injections))
        return DynamoStateTable(client, on.settings.state_table, on.clock), client

    @pytest.mark.parametrize("code", RETRYABLE)
    def test_refused_statements_are_tried_again_after_a_wait(
        self, ministack: Adapters, waits: list[float], code: str
    ) -> None:
        machine = new_machine()
        table, client = self.flaky(
            ministack, "batch_execute_statement", [every_other_refused(code)] * 4
        )
        table.write(machine, writes(60))
        assert list(ministack.table.scan(machine)) == rows(60)
        assert waits
        first = [len(request["Statements"]) for request in client.requests[:3]]
        assert first == [25, 25, 10]

    def test_only_what_was_refused_is_tried_again(self, ministack: Adapters) -> None:
        machine = new_machine()
        table, client = self.flaky(
            ministack, "batch_execute_statement", [every_other_refused("ThrottlingError")]
        )
        table.write(machine, [Write(f"k{n}", encode(n), 1, True) for n in range(20)])
        assert [len(request["Statements"]) for request in client.requests] == [20, 10]

    @pytest.mark.parametrize(
        "value",
        ["x" * 35_000, [1] * 11_000, "\U0001f600" * 8_700, ["é"] * 6_500, [{}] * 8_000],
        ids=["text", "digits", "emoji", "list of letters", "empty objects"],
    )
    def test_requests_stay_below_the_limit_as_they_go_over_the_wire(
        self, ministack: Adapters, monkeypatch: pytest.MonkeyPatch, value: Json
    ) -> None:
        monkeypatch.setattr(state, "REQUEST_BYTES", 800_000)
        table, client = self.flaky(ministack, "batch_execute_statement", [])
        sizes: list[int] = []

        def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
            """Instead of the emulator, which would take minutes."""
            assert isinstance(request.body, bytes)
            sizes.append(len(request.body))
            done = [{} for _ in client.requests[-1]["Statements"]]
            body = BytesIO(json.dumps({"Responses": done}).encode())
            raw: Any = HTTPResponse(body, preload_content=False)
            return AWSResponse(request.url, 200, {}, raw)

        events = ministack.clients.dynamodb.meta.events
        events.register("before-send.dynamodb.BatchExecuteStatement", answer)
        try:
            table.write("m", [Write(f"k{n:03d}", encode_value(value), 1) for n in range(26)])
        finally:
            events.unregister("before-send.dynamodb.BatchExecuteStatement", answer)
        assert 500_000 < max(sizes) < 800_100
        written = [each for request in client.requests for each in request["Statements"]]
        assert [each["Parameters"][3]["S"] for each in written] == [f"k{n:03d}" for n in range(26)]

    def test_values_of_the_largest_size_go_in_requests_below_8_mb(
        self, ministack: Adapters
    ) -> None:
        machine = new_machine()
        table, client = self.flaky(ministack, "batch_execute_statement", [])
        writes = [Write(f"k{n:03d}", encode("x" * 350_000), 1, n % 3 == 0) for n in range(26)]
        table.write(machine, writes)
        assert list(ministack.table.scan(machine)) == [
            Row(write.key, write.value, 1) for write in writes
        ]
        assert [len(request["Statements"]) for request in client.requests[:2]] == [22, 4]

    def test_requests_of_one_write_are_under_way_together(
        self, ministack: Adapters, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(state, "LANES", 3)
        together = threading.Barrier(3)

        def wait(**_: Any) -> None:
            together.wait(timeout=20)

        events, machine = ministack.clients.dynamodb.meta.events, new_machine()
        events.register("before-send.dynamodb.BatchExecuteStatement", wait)
        try:
            ministack.table.write(machine, [replace(each, new=True) for each in writes(60)])
        finally:
            events.unregister("before-send.dynamodb.BatchExecuteStatement", wait)
        assert list(ministack.table.scan(machine)) == rows(60)

    def test_small_values_go_25_together(self, ministack: Adapters) -> None:
        table, client = self.flaky(ministack, "batch_execute_statement", [])
        value = encode("x" * 16_000)
        table.write(new_machine(), [Write(f"k{n:03d}", value, 1, True) for n in range(60)])
        assert [len(request["Statements"]) for request in client.requests] == [25, 25, 10]

    def test_no_end_of_refusals_is_unavailable_and_the_next_write_makes_it_good(
        self, ministack: Adapters, waits: list[float]
    ) -> None:
        machine = new_machine()
        endless = iter(lambda: every_other_refused("ThrottlingError"), None)
        table, _ = self.flaky(ministack, "batch_execute_statement", endless)
        with pytest.raises(Unavailable, match="ThrottlingError: injected") as caught:
            table.write(machine, [Write("first", encode(1), 1), *writes(999)])
        assert f"keys of machine {machine!r}" in caught.value.message
        assert len(waits) == backoff.ATTEMPTS - 1
        assert 0 < len(list(ministack.table.scan(machine))) < 1_000
        ministack.table.write(machine, [Write("first", encode(1), 1), *writes(999)])
        assert list(ministack.table.scan(machine)) == [Row("first", encode(1), 1), *rows(999)]

    @pytest.mark.parametrize("injection", [half_done_then_lost, done_then_lost, refused_whole])
    def test_a_lost_answer_is_unavailable_and_writing_again_makes_it_good(
        self, ministack: Adapters, injection: Injection
    ) -> None:
        machine = new_machine()
        table, _ = self.flaky(ministack, "batch_execute_statement", [injection])
        with pytest.raises(Unavailable, match="could not write the state"):
            table.write(machine, writes(40))
        table.write(machine, writes(40))
        assert list(ministack.table.scan(machine)) == rows(40)

    def test_a_fence_that_fails_without_a_reason_is_tried_again(
        self, ministack: Adapters, waits: list[float]
    ) -> None:
        machine = new_machine()
        item = {"machine": {"S": machine}, "key": {"S": "k"}, "block": {"N": "1"}}
        stale = {"Code": "ConditionalCheckFailed", "Item": {**item, "value": {"N": "1"}}}
        table, client = self.flaky(ministack, "batch_execute_statement", [all_answer(stale)])
        ministack.table.write(machine, [Write("k", encode(1), 1)])
        table.write(machine, [Write("k", encode(2), 2)])
        assert ministack.table.get(machine, ["k"]) == {"k": Row("k", encode(2), 2)}
        assert len(client.requests) == 2
        assert len(waits) == 1

    def test_a_row_that_comes_and_goes_for_ever_is_unavailable(self, ministack: Adapters) -> None:
        def there_and_gone() -> Iterator[Injection]:
            while True:
                yield all_answer({"Code": "DuplicateItem"})
                yield all_answer({"Code": "ConditionalCheckFailed"})

        table, _ = self.flaky(ministack, "batch_execute_statement", there_and_gone())
        with pytest.raises(Unavailable, match="rows come and go"):
            table.write(new_machine(), [Write("k", encode(1), 1, True)])

    @pytest.mark.parametrize(
        ("code", "error", "hint"),
        [
            ("ResourceNotFound", NotFound, "is the stack deployed"),
            ("AccessDenied", Misconfigured, "lacks this permission"),
            ("ValidationError", Unavailable, ""),
        ],
    )
    def test_a_refusal_for_good_names_the_key_and_is_not_tried_again(
        self, ministack: Adapters, code: str, error: type[Exception], hint: str
    ) -> None:
        answer = all_answer({"Code": code, "Message": "injected"})
        table, client = self.flaky(ministack, "batch_execute_statement", [answer])
        with pytest.raises(error, match=f"key 'k1' .*{code}: injected.*{hint}"):
            table.write(new_machine(), [Write("k1", encode(1), 1)])
        assert len(client.requests) == 1

    def test_keys_left_unprocessed_are_asked_for_again_consistently(
        self, ministack: Adapters, waits: list[float]
    ) -> None:
        machine = new_machine()
        ministack.table.write(machine, writes(250))
        table, client = self.flaky(ministack, "batch_get_item", [half_unprocessed] * 5)
        names = [write.key for write in writes(250)]
        assert table.get(machine, [*names, "none"]) == {row.key: row for row in rows(250)}
        assert len(waits) == 5
        for request in client.requests:
            (asked,) = request["RequestItems"].values()
            assert asked["ConsistentRead"] is True
            assert len(asked["Keys"]) <= 100

    def test_keys_left_unprocessed_for_ever_are_unavailable(self, ministack: Adapters) -> None:
        machine = new_machine()
        table, client = self.flaky(
            ministack, "batch_get_item", iter(lambda: half_unprocessed, None)
        )
        with pytest.raises(Unavailable, match=f"{backoff.ATTEMPTS} tries: throttled"):
            table.get(machine, ["k"])
        assert len(client.requests) == backoff.ATTEMPTS


class TestBlockLog:
    def log(self, on: Adapters, *injections: Injection) -> DynamoBlockLog:
        client: Any = Injecting(on.clients.dynamodb, "put_item", iter(injections))
        return DynamoBlockLog(client, on.settings.blocks_table, on.objects)

    def test_a_commit_whose_answer_was_lost_is_unavailable_and_can_be_repeated(
        self, ministack: Adapters
    ) -> None:
        (block,) = chain(new_machine(), 1)
        log = self.log(ministack, done_then_lost)
        with pytest.raises(Unavailable, match="could not commit block 1"):
            log.append(block)
        log.append(block)
        assert [each.hash for each in log.read(block.machine, 1)] == [block.hash]

    def test_a_commit_that_the_sdk_repeated_does_not_conflict_with_itself(
        self, ministack: Adapters
    ) -> None:
        def twice(real: Operation, request: Answer) -> Answer:
            real(**request)
            return real(**request)

        (block,) = chain(new_machine(), 1, 40_000)
        self.log(ministack, twice).append(block)

    def test_a_commit_that_was_refused_left_nothing(self, ministack: Adapters) -> None:
        (block,) = chain(new_machine(), 1)
        with pytest.raises(Unavailable, match="injected"):
            self.log(ministack, refused_whole).append(block)
        assert ministack.log.head(block.machine) is None

    def test_a_conflict_without_the_item_reads_the_winner(self, ministack: Adapters) -> None:
        def forgetful(real: Operation, request: Answer) -> Answer:
            request = {**request, "ReturnValuesOnConditionCheckFailure": "NONE"}
            return real(**request)

        (winner,) = chain(new_machine(), 1)
        ministack.log.append(winner)
        (loser,) = chain(winner.machine, 1, 10)
        with pytest.raises(BlockConflict) as caught:
            self.log(ministack, forgetful).append(loser)
        assert caught.value.winner.hash == winner.hash

    def test_a_spill_that_fails_commits_nothing(self, ministack: Adapters) -> None:
        client: Any = Injecting(ministack.clients.s3, "put_object", iter([refused_whole]))
        objects = S3ObjectStore(lambda: client, ministack.settings.snapshots_bucket)
        dynamodb, table = ministack.clients.dynamodb, ministack.settings.blocks_table
        log = DynamoBlockLog(dynamodb, table, objects)
        (block,) = chain(new_machine(), 1, 40_000)
        with pytest.raises(Unavailable, match="could not store s3://"):
            log.append(block)
        assert log.head(block.machine) is None
        log.append(block)
        assert log.head(block.machine) is not None


class TestObjectStore:
    def concurrent(self, _real: Operation, _request: Answer) -> Answer:
        raise ClientError({"Error": {"Code": "ConditionalRequestConflict"}}, "PutObject")

    def store(self, on: Adapters, conflicts: int) -> tuple[S3ObjectStore, Injecting]:
        injections = iter([self.concurrent] * conflicts)
        client: Any = Injecting(on.clients.s3, "put_object", injections)
        return S3ObjectStore(lambda: client, on.settings.snapshots_bucket), client

    def test_a_write_that_meets_another_is_tried_again(self, ministack: Adapters) -> None:
        store, client = self.store(ministack, PUT_ATTEMPTS - 1)
        assert store.put_new(f"conflict/{new_machine()}", b"x")
        assert len(client.requests) == PUT_ATTEMPTS
        assert all(request["IfNoneMatch"] == "*" for request in client.requests)

    def test_a_write_that_keeps_meeting_others_is_unavailable(self, ministack: Adapters) -> None:
        store, _ = self.store(ministack, PUT_ATTEMPTS)
        with pytest.raises(Unavailable, match="could not store"):
            store.put_new(f"conflict/{new_machine()}", b"x")
