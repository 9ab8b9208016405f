"""What the estimate of cost takes for granted is what the template says."""

from __future__ import annotations

from blockfold.application.cost import settings
from blockfold.application.cost.workload import MESSAGES, Workload
from tests.infra.templates import Template, of_type, source_of


def test_memory_of_every_function(dev: Template) -> None:
    functions = of_type(dev, "AWS::Lambda::Function")
    sizes = {each["Properties"]["MemorySize"] for each in functions}
    assert sizes == {settings.GIGABYTES * 1024}
    assert {tuple(each["Properties"]["Architectures"]) for each in functions} == {("arm64",)}


def test_batches(dev: Template) -> None:
    executor = source_of(dev, "Executor")["Properties"]
    assert executor["BatchSize"] == MESSAGES
    announcer = source_of(dev, "Announcer")["Properties"]
    assert announcer["BatchSize"] == settings.ANNOUNCED
    assert announcer["ParallelizationFactor"] == settings.LANES
    assert "MaximumBatchingWindowInSeconds" not in announcer
    archiver = source_of(dev, "Archiver")["Properties"]
    assert archiver["BatchSize"] == settings.SHIPPED
    assert archiver["ParallelizationFactor"] == 1
    default = Workload.__dataclass_fields__["archive_seconds"].default
    assert archiver["MaximumBatchingWindowInSeconds"] == default


def test_schedules(dev: Template) -> None:
    rules = [each["Properties"] for each in of_type(dev, "AWS::Events::Rule")]
    rates = sorted(each["ScheduleExpression"] for each in rules if "ScheduleExpression" in each)
    assert rates == ["rate(1 day)", "rate(1 hour)"]
    assert settings.SWEEPS == 730
    assert round(settings.PRUNES) == 30


def test_tables_and_alarms(dev: Template) -> None:
    tables = [each["Properties"] for each in of_type(dev, "AWS::DynamoDB::Table")]
    assert {each["BillingMode"] for each in tables} == {"PAY_PER_REQUEST"}
    recovery = [each["PointInTimeRecoverySpecification"] for each in tables]
    assert all(each["PointInTimeRecoveryEnabled"] for each in recovery)
    assert len(of_type(dev, "AWS::CloudWatch::Alarm")) == settings.ALARMS


def test_a_new_machine_s_count(dev: Template) -> None:
    default = Workload.__dataclass_fields__["count"].default
    for each in of_type(dev, "AWS::Lambda::Function"):
        assert each["Properties"]["Environment"]["Variables"]["BLOCKFOLD_COUNT"] == str(default)
