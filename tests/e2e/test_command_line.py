"""The real template in the real emulator, used as a person would: the command line and raw AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blockfold import local
from blockfold.client import Stack, connect, of_local
from tests.contracts.samples import noise
from tests.e2e.inside import run_inside
from tests.e2e.parity import by_object, by_simulation, messages_of
from tests.e2e.trial import Trial

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("app.py", "cdk.json", "blockfold", "infra", "lambdas", "machines", "tests")
TRIAL = "tests.e2e.trial:Trial"
WORN = "worn"
FOLDERS = ("snapshots", "runs", "archive", "log")


class Project:
    """The project seen from another folder, with a local stack of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for part in PARTS:
            (folder / part).symlink_to(ROOT / part)

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run the command line there; what leaves servers behind, in a process of its own."""
        if arguments[0] != "local":
            return run_inside(self.folder, arguments, stdin)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("AWS_")
        }
        return subprocess.run(
            [str(Path(sys.executable).parent / "blockfold"), *arguments],
            cwd=self.folder,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def ok(self, *arguments: str, stdin: str = "") -> str:
        """Run it, and insist that it went well."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def json(self, *arguments: str, stdin: str = "") -> Any:
        """Its answer as JSON."""
        return json.loads(self.ok(*arguments, "--json", stdin=stdin))

    def push(self, machine: str, *actions: dict[str, object], per_message: int = 1) -> None:
        """Push and wait."""
        lines = "\n".join(map(json.dumps, actions))
        self.ok("push", machine, "--wait", "--per-message", str(per_message), stdin=lines)

    @property
    def stack(self) -> Stack:
        """The running stack."""
        found = local.status(self.folder).stack
        assert found is not None
        return of_local(found)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("project"))
    project.ok("local", "up", "--machine", TRIAL, "--count", "2")
    yield project
    project.ok("local", "down")


def send_raw(project: Project, machine: str, *bodies: str) -> None:
    """Send messages with nothing but an AWS client, and wait until the queue is empty."""
    stack = project.stack
    url = stack.outputs["ActionsQueueUrl"]
    for number, body in enumerate(bodies):
        stack.clients.sqs.send_message(
            QueueUrl=url,
            MessageBody=body,
            MessageGroupId=machine,
            MessageDeduplicationId=f"{machine}-{number}-{time.time_ns()}",
        )
    wait_for(lambda: queue_depth(stack) == 0, "the queue to be empty")


def queue_depth(stack: Stack) -> int:
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    attributes = stack.clients.sqs.get_queue_attributes(
        QueueUrl=stack.outputs["ActionsQueueUrl"], AttributeNames=list(names)
    )["Attributes"]
    return sum(int(attributes[name]) for name in names)  # type: ignore[index]


def wait_for(condition: Any, what: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.1)


def recorded(project: Project, machine: str) -> list[dict[str, Any]]:
    """Every action of a machine as its blocks tell, in order."""
    return [
        action
        for block in project.json("blocks", machine)
        for action in project.json("block", machine, str(block["number"]))["actions"]
    ]


def test_every_kind_of_bad_input_is_recorded_and_harms_no_neighbour(project: Project) -> None:
    deep = "[" * 40 + "]" * 40
    good = '{"type":"count"}'
    bad = {
        "no JSON at all": "malformed",
        "[]": "malformed",
        '{"type":"fly"}': "malformed",
        '{"type":"keep","args":{"key":"a"}}': "malformed",
        '{"type":"count","args":{"extra":1}}': "malformed",
        '{"type":"keep","args":{"key":1,"value":1}}': "malformed",
        '{"type":"keep","args":{"key":"a","value":NaN}}': "malformed",
        '{"type":"keep","args":{"key":"a","value":1e300}}': "malformed",
        '{"type":"keep","args":{"key":"a","value":' + deep + "}}": "malformed",
        '{"type":"keep","args":{"key":"","value":1}}': "failed",
        json.dumps({"type": "keep", "args": {"key": "k" * 1025, "value": 1}}): "failed",
        json.dumps({"type": "keep", "args": {"key": "a", "value": "v" * 400_000}}): "failed",
        '{"type":"refuse"}': "rejected",
        '{"type":"crash"}': "failed",
        '{"type":"loop"}': "failed",
    }
    bodies = [body for each in bad for body in (each, good)]
    send_raw(project, "bad", *bodies)
    actions = recorded(project, "bad")
    assert [each["outcome"] for each in actions] == [
        outcome for each in bad.values() for outcome in (each, "applied")
    ]
    assert all(each["reason"] for each in actions if each["outcome"] != "applied")
    assert project.json("state", "bad")["entries"] == {"count": len(bad)}
    dead = project.stack.clients.sqs.get_queue_attributes(
        QueueUrl=project.stack.outputs["DeadLetterQueueUrl"],
        AttributeNames=["ApproximateNumberOfMessages"],
    )
    assert dead["Attributes"]["ApproximateNumberOfMessages"] == "0"
    project.ok("verify", "bad")


def test_an_array_counts_singly_and_a_bad_element_spoils_only_itself(project: Project) -> None:
    send_raw(
        project,
        "array",
        '[{"type":"count"},{"type":"keep","args":{"key":NaN}},7,{"type":"count","id":"mine"}]',
    )
    actions = recorded(project, "array")
    assert [each["outcome"] for each in actions] == ["applied", "malformed", "malformed", "applied"]
    assert actions[3]["id"] == "mine"
    assert actions[0]["id"].endswith("/0")


def test_packing_does_not_change_what_happens(project: Project) -> None:
    actions = [{"type": "keep", "args": {"key": f"k{i % 7}", "value": i}} for i in range(50)]
    actions += [{"type": "refuse"}, {"type": "count"}]
    views = []
    for per_message in (1, 10, 100):
        machine = f"packed{per_message}"
        project.push(machine, *actions, per_message=per_message)
        views.append(project.json("state", machine))
    assert len({view["digest"] for view in views}) == 1
    assert views[0]["entries"] == views[1]["entries"] == views[2]["entries"]


def test_object_stack_and_simulation_make_the_same_blocks(project: Project) -> None:
    actions: list[dict[str, object]] = [
        {"type": "keep", "args": {"key": f"k{i % 7}", "value": {"n": i, "é": [i / 4, None]}}}
        for i in range(150)
    ]
    actions[50:50] = [{"type": "refuse"}, {"type": "crash", "id": "mine"}, {"type": "count"}]
    project.push("parity", *actions, per_message=3)
    blocks = list(project.stack.reader.blocks("parity"))
    assert len(blocks) > 1
    groups = messages_of(blocks)
    for again in (by_object, by_simulation):
        found = again(Trial(), "parity", groups)
        assert [each.header.digest for each in found] == [each.header.digest for each in blocks]
        assert [each.hash for each in found] == [each.hash for each in blocks]


def test_a_raw_client_reads_the_tables(project: Project) -> None:
    project.push("raw", {"type": "keep", "args": {"key": "a", "value": {"n": 1.5}}})
    stack = project.stack
    state = stack.clients.dynamodb.get_item(
        TableName=stack.outputs["StateTableName"],
        Key={"machine": {"S": "raw"}, "key": {"S": "a"}},
    )["Item"]
    assert state["value"] == {"M": {"n": {"N": "1.5"}}}
    assert state["block"] == {"N": "1"}
    block = stack.clients.dynamodb.get_item(
        TableName=stack.outputs["BlocksTableName"],
        Key={"machine": {"S": "raw"}, "number": {"N": "1"}},
    )["Item"]
    assert bytes(block["hash"]["B"]).hex() == project.json("blocks", "raw")[0]["hash"]


def test_a_large_body_goes_to_the_bucket_and_comes_back(project: Project) -> None:
    noise = "".join(f"{i:x}" for i in range(60_000))
    project.push("large", {"type": "keep", "args": {"key": "noise", "value": noise}})
    keys = [each.key for each in project.stack.adapters.objects.list("machines/large/log/")]
    assert len(keys) == 1
    assert project.json("state", "large")["entries"]["noise"] == noise
    project.ok("verify", "large")


def test_snapshots_restore_undo_and_fork_by_the_command_line(project: Project) -> None:
    for value in range(6):
        project.push("past", {"type": "keep", "args": {"key": f"k{value % 4}", "value": value}})
    wait_for(lambda: len(project.json("snapshots", "past")) == 3, "snapshots 2, 4 and 6")
    assert [each["number"] for each in project.json("snapshots", "past")] == [2, 4, 6]
    status = project.json("dumper", "status", "past")
    assert (status["running"], status["count"], status["last_snapshot"], status["next_due"]) == (
        True,
        2,
        6,
        8,
    )
    before = project.json("state", "past")
    plan = project.json("restore", "past", "--block", "3", "--dry-run")
    answer = project.json("restore", "past", "--block", "3")
    assert (answer["written"], answer["deleted"]) == (plan["written"], plan["deleted"])
    assert project.json("state", "past")["entries"] == {"k0": 0, "k1": 1, "k2": 2}
    assert answer["digest"] == project.json("blocks", "past")[2]["digest"]
    project.push("past", {"type": "count"})
    assert project.json("state", "past")["entries"] == {"k0": 0, "k1": 1, "k2": 2, "count": 1}
    project.ok("restore", "past", "--block", "6")
    assert project.json("state", "past")["entries"] == before["entries"]
    project.ok("restore", "past", "--snapshot", "2", "--as", "past-fork")
    assert project.json("state", "past-fork")["entries"] == {"k0": 0, "k1": 1}
    assert project.json("diff", "past", "2", "3") == {
        "added": {"k2": 2},
        "removed": {},
        "changed": {},
    }
    project.ok("dump", "past", "--at", "5")
    assert 5 in [each["number"] for each in project.json("snapshots", "past")]
    project.ok("verify", "past")
    project.ok("verify", "past-fork")


def test_the_past_of_a_key_of_a_block_and_of_a_state(project: Project) -> None:
    for value in range(5):
        project.push("travel", {"type": "keep", "args": {"key": "k", "value": value}})
    wait_for(lambda: len(project.json("snapshots", "travel")) == 2, "snapshots 2 and 4")
    project.ok("restore", "travel", "--block", "2")
    versions = project.json("history", "travel", "k")
    assert [(each["number"], each["value"]) for each in versions] == [
        *((number, number - 1) for number in range(1, 6)),
        (6, 1),
    ]
    for each in versions[:5]:
        for at in (str(each["number"]), each["time"]):
            assert json.loads(project.ok("state", "travel", "k", "--at", at)) == each["value"]
    assert project.json("diff", "travel", "snapshot:2", versions[4]["time"])["changed"] == {
        "k": {"from": 1, "to": 4}
    }
    frames = project.json("frames", "travel", "3", "--state")
    assert frames["agrees"]
    assert frames["digest"] == project.json("blocks", "travel")[2]["digest"]
    assert [each["state"] for each in frames["frames"]] == [{"k": 2}]
    wrong = project.run("frames", "travel", "3", "--machine", "machines/forest.py:Forest")
    assert wrong.returncode == 1
    assert "action 1 (keep) is malformed" in wrong.stderr


def test_exports_to_stdout_and_to_files(project: Project, tmp_path: Path) -> None:
    project.push("export", {"type": "keep", "args": {"key": "k", "value": {"n": 1}}})
    assert project.ok("export", "export") == '{"key":"k","value":{"n":1}}\n'
    path = tmp_path / "state.jsonl"
    arguments = ("export", "export", "--format", "dynamodb-json", "--output", str(path))
    project.ok(*arguments)
    stack = project.stack
    table = stack.outputs["StateTableName"]
    key = {"machine": {"S": "export"}, "key": {"S": "k"}}
    stored = stack.clients.dynamodb.get_item(TableName=table, Key=key)
    assert json.loads(path.read_text()) == {"Item": stored["Item"]}
    again = project.run(*arguments)
    assert again.returncode == 1
    assert "--force" in again.stderr
    project.ok(*arguments, "--force")


def test_a_damaged_snapshot_is_refused_and_named(project: Project) -> None:
    for value in range(2):
        project.push("damaged", {"type": "keep", "args": {"key": "k", "value": value}})
    wait_for(lambda: len(project.json("snapshots", "damaged")) == 1, "snapshot 2")
    stack = project.stack
    bucket = stack.outputs["SnapshotsBucketName"]
    key = next(iter(stack.adapters.objects.list("machines/damaged/runs/"))).key
    data = bytearray(stack.adapters.objects.get(key) or b"")
    data[len(data) // 2] ^= 1
    stack.clients.s3.put_object(Bucket=bucket, Key=key, Body=bytes(data))
    done = project.run("verify", "damaged")
    assert done.returncode == 1
    assert key in done.stderr
    refused = project.run("restore", "damaged", "--snapshot", "2")
    assert refused.returncode == 1
    assert key in refused.stderr
    assert len(project.json("blocks", "damaged")) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("state", "nobody"), "nobody"),
        (("verify", "nobody"), "nobody"),
        (("block", "errors", "9"), "1 to 1"),
        (("state", "errors", "no-such-key"), "no-such-key"),
        (("restore", "errors", "--block", "9"), "1 to 1"),
        (("restore", "errors", "--snapshot", "1"), "no snapshot of block 1"),
        (("restore", "errors", "--time", "yesterday"), "RFC 3339"),
        (("restore", "errors"), "--block"),
        (("restore", "errors", "--block", "1", "--as", "errors"), "exists already"),
        (("dumper", "start", "nobody"), "nobody"),
        (("dumper", "set-count", "errors", "many"), "many"),
        (("dump", "errors", "--at", "9"), "1 to 1"),
        (("push", "errors", "/no/such/file"), "/no/such/file"),
        (("push", "no spaces allowed"), "machine id"),
        (("state", "errors", "--at", "yesterday"), "snapshot:12"),
        (("state", "errors", "--at", "9"), "0 to 1"),
        (("diff", "errors", "1", "snapshot:1"), "no snapshot of block 1"),
        (("history", "nobody", "k"), "nobody"),
        (("frames", "errors", "9"), "1 to 1"),
        (("frames", "errors", "1", "--machine", "no/such.py:Thing"), "no file"),
        (("export", "nobody"), "nobody"),
        (("export", "errors", "--output", "/no/such/folder/file"), "/no/such/folder"),
        (("state", "errors", "--stack", "NoSuchStack"), "NoSuchStack"),
    ],
)
def test_errors_name_what_is_wrong(
    project: Project, arguments: tuple[str, ...], words: str
) -> None:
    if not any(each["machine"] == "errors" for each in project.json("machines")):
        project.push("errors", {"type": "count"})
    done = project.run(*arguments)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_damage_is_named_and_repaired(project: Project) -> None:
    for number in range(5):
        text = noise(30_000, number) if number == 2 else f"text {number}"
        project.push(WORN, {"type": "keep", "args": {"key": f"k{number}", "value": text}})
    project.ok("dump", WORN)
    project.ok("archive", WORN)
    project.ok("verify", WORN)
    assert "nothing to repair" in project.run("repair", WORN).stderr
    objects = project.stack.adapters.objects
    damaged = []
    for folder in FOLDERS:
        key = next(each.key for each in objects.list(f"machines/{WORN}/{folder}/"))
        data = bytearray(objects.get(key) or b"")
        data[len(data) // 2] ^= 1
        objects.replace(key, bytes(data))
        damaged.append(key)
    found = project.run("verify", WORN)
    assert found.returncode == 1
    assert all(key in found.stderr for key in damaged), found.stderr
    assert f"blockfold repair {WORN}" in found.stderr
    planned = project.json("repair", WORN, "--dry-run")
    assert project.run("verify", WORN).stderr == found.stderr
    done = project.json("repair", WORN)
    assert {**planned, "dry_run": False} == done
    assert set(damaged) <= {healed["key"] for healed in done["healed"]}
    assert done["ok"]
    clean = project.json("verify", WORN)
    assert clean["ok"]
    assert clean["findings"] == clean["found"] == []
    assert clean["objects"] > len(damaged)
    project.push(WORN, {"type": "count"})
    project.ok("verify", WORN)


def test_down_and_up_again_everything_is_there_and_goes_on(project: Project) -> None:
    project.push("lasting", {"type": "count"}, {"type": "count"})
    before = project.json("blocks", "lasting")
    project.ok("local", "down")
    assert project.run("local", "status").returncode == 1
    assert project.run("state", "lasting").returncode == 1
    project.ok("local", "up")
    assert project.json("blocks", "lasting") == before
    project.push("lasting", {"type": "count"})
    assert project.json("state", "lasting")["entries"] == {"count": 3}
    assert "AWS_ENDPOINT_URL" in project.ok("local", "env")
    project.ok("verify", "lasting")


def test_a_domain_event_and_the_block_reach_the_bus(project: Project) -> None:
    stack = project.stack
    queue = stack.clients.sqs.create_queue(QueueName="listener")["QueueUrl"]
    arn = stack.clients.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    events = stack.clients.events
    bus = stack.outputs["EventBusName"]
    events.put_rule(
        Name="all",
        EventBusName=bus,
        EventPattern=json.dumps({"source": ["blockfold", "blockfold.events"]}),
    )
    events.put_targets(
        Rule="all",
        EventBusName=bus,
        Targets=[{"Id": "listener", "Arn": arn["Attributes"]["QueueArn"]}],
    )
    project.push("talker", {"type": "emit", "args": {"text": "hello"}})
    heard: dict[str, dict[str, Any]] = {}

    def listen() -> bool:
        for message in stack.clients.sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10
        ).get("Messages", []):
            event = json.loads(message["Body"])
            if event["detail"]["machine"] == "talker":
                heard[event["detail-type"]] = event["detail"]
        return heard.keys() >= {"BlockExecuted", "Said"}

    wait_for(listen, "both events")
    block = project.json("blocks", "talker")[0]
    assert heard["BlockExecuted"]["hash"] == block["hash"]
    assert heard["BlockExecuted"]["snapshot_due"] is False
    assert heard["Said"]["detail"] == {"text": "hello"}


def test_an_application_reads_what_became_of_its_action(project: Project) -> None:
    machine = connect(folder=project.folder).machine("app")
    queue = project.stack.queue
    queue.send("app", '{"type":"keep","id":"mine","args":{"key":"a","value":[1]}}')
    found = machine.wait("mine", 60)
    assert (found.number, found.outcome) == (1, "applied")
    queue.send("app", '{"type":"refuse","id":"other"}')
    assert machine.wait("other", 60).reason == "not today"
    state = machine.state()
    assert (state.number, dict(state), state.get("b")) == (2, {"a": [1]}, None)
    assert [dict(machine.state(number)) for number in (0, 1)] == [{}, {"a": [1]}]


def test_a_producer_s_actions_stand_in_blocks_once_and_in_order(project: Project) -> None:
    stack = project.stack
    with stack.producer(actions=50, linger=60.0) as producer:
        for number in range(120):
            producer.push("made", "keep", key=f"k{number % 7}", value=[number])
        producer.push("made", "refuse")
        found = producer.wait(60)
        assert [each.outcome for each in found] == ["applied"] * 120 + ["rejected"]
        assert producer.stats.messages == 3
        (sent,) = [each for each in _envelopes(stack, "made") if each[1] == 2]
        assert sent == (producer.id, 2)
    state = stack.machine("made").state()
    assert dict(state) == {f"k{n % 7}": [n] for n in range(113, 120)}
    project.ok("verify", "made")


def _envelopes(stack: Stack, machine: str) -> list[tuple[str, int]]:
    """Producer and count of each message in a machine's blocks."""
    blocks = stack.machine(machine).blocks()
    return [(each.producer, each.count) for block in blocks for each in block.body.messages]
