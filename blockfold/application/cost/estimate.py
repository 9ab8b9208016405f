"""From a counted sample and a month's figures to the bill.

What is exact: write and read units, requests and bytes, as the code makes them. What is modelled:
how blocks gather for announcer and archiver (as if they came by chance, one independent of the
other), how long functions run (`Timing`), and how machines spread over executors.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from blockfold.application.cost import settings
from blockfold.application.cost.bill import Bill, Line
from blockfold.application.cost.month import Month
from blockfold.application.cost.workload import Workload
from blockfold.domain import prices, units

GB = 1024**3


def estimate(workload: Workload) -> Bill:
    """A month's bill, without free tiers, taxes, data transfer, backups of your own.

    Args:
        workload: What is to be paid for.
    """
    month = Month(workload)
    services = (_queue, _functions, _tables, _bus, _bucket, _watch)
    lines = (line for service in services for line in service(month) if line.units)
    return Bill(tuple(lines), workload.shape.actions, tuple(_notes(month)))


def _queue(month: Month) -> Iterator[Line]:
    """SQS."""
    counts, scale = month.of.counts, month.of.scale
    together = month.of.per_request
    each = counts.message_bytes * together / counts.messages
    sent = month.messages / together * units.sqs_requests(ceil(each))
    price, unit = prices.SQS_REQUEST, "requests"
    yield Line("SQS", "send", sent, unit, price)
    yield Line("SQS", "receive", counts.received * scale, unit, price)
    yield Line("SQS", "delete", month.invocations, unit, price)
    yield Line("SQS", "release for redelivery", counts.released * scale, unit, price)
    idle = settings.POLLS
    yield Line("SQS", "poll the idle queue", idle, unit, price, fixed=True)
    yield Line("SQS", "poll the queue of checks", idle, unit, settings.SQS_REQUEST, fixed=True)


def _functions(month: Month) -> Iterator[Line]:
    """Lambda: requests, and the time that each function takes."""
    timing = month.of.shape.timing
    executor = month.of.counts.executor * month.of.scale
    # Two calls a batch: the settings of its machines together, and the checks that they ask for.
    announcer = (
        month.announcements * (2 * timing.call + timing.publish) + month.blocks * timing.block
    )
    archiver = month.segments / settings.PUT_LANES + month.shipments
    times = {
        "executor": (
            month.invocations,
            timing.of(executor) + month.of.shape.actions * timing.action,
        ),
        "announcer": (month.announcements, announcer),
        "archiver": (month.shipments, archiver * timing.store + month.blocks * timing.block),
        "dumper": (month.snapshots, timing.of(month.dumper)),
        "hourly sweep": (settings.SWEEPS, timing.of(month.sweep) / month.at_once * settings.SWEEPS),
        "daily prune": (settings.PRUNES, timing.of(month.prune) / month.at_once * settings.PRUNES),
    }
    fixed = {"hourly sweep", "daily prune"}
    for name, (requests, seconds) in times.items():
        yield Line(
            "Lambda",
            f"{name}: requests",
            requests,
            "requests",
            prices.LAMBDA_REQUEST,
            fixed=name in fixed,
        )
        billed = seconds + requests * timing.invoke + month.starts(requests, seconds) * timing.start
        yield Line(
            "Lambda",
            f"{name}: time",
            billed * settings.GIGABYTES,
            "GB-s",
            prices.LAMBDA_GB_SECOND,
            fixed=name in fixed,
        )


def _tables(month: Month) -> Iterator[Line]:
    """DynamoDB."""
    counts, scale, machines = month.of.counts, month.of.scale, month.of.shape.machines
    wru, rru = prices.WRU, prices.RRU
    executor = counts.executor * scale
    swept = month.sweep * settings.SWEEPS
    pruned = month.prune * settings.PRUNES
    yield Line("DynamoDB", "log: writes", executor.log_units, "WRU", wru)
    yield Line("DynamoDB", "state: writes", executor.state_units, "WRU", wru)
    yield Line("DynamoDB", "register: writes", executor.machine_units, "WRU", wru)
    yield Line("DynamoDB", "executor: reads", executor.read_units, "RRU", rru)
    # Of each machine in a batch, the announcer reads the settings: its item in the register.
    read = month.announced * units.read_units(counts.record_bytes)
    yield Line("DynamoDB", "announcer: reads", read, "RRU", rru)
    yield Line("DynamoDB", "snapshots: writes", month.dumper.write_units, "WRU", wru)
    yield Line("DynamoDB", "snapshots: reads", month.dumper.read_units, "RRU", rru)
    yield Line("DynamoDB", "hourly sweep: writes", swept.write_units, "WRU", wru, fixed=True)
    yield Line("DynamoDB", "hourly sweep: reads", swept.read_units, "RRU", rru, fixed=True)
    yield Line("DynamoDB", "daily prune: writes", pruned.write_units, "WRU", wru, fixed=True)
    yield Line("DynamoDB", "daily prune: reads", pruned.read_units, "RRU", rru, fixed=True)
    yield Line("DynamoDB", "exact reads", counts.read.read_units * month.of.reads, "RRU", rru)
    if month.of.table_days is not None:
        yield Line("DynamoDB", "letting blocks go", executor.log_units, "WRU", wru)
    price = prices.DYNAMODB_GB_MONTH + settings.RECOVERY_GB_MONTH
    log = (counts.block_bytes * scale + month.blocks * settings.ITEM_OVERHEAD) * month.table_months
    state = (counts.row_bytes + counts.rows * settings.ITEM_OVERHEAD) * machines
    yield Line("DynamoDB", "log: stored, with recovery", log / GB, "GB-month", price)
    yield Line("DynamoDB", "state: stored, with recovery", state / GB, "GB-month", price)


def _bus(month: Month) -> Iterator[Line]:
    """EventBridge."""
    events = month.of.counts.events * month.of.scale
    yield Line("EventBridge", "events", events, "events", prices.EVENT)


def _bucket(month: Month) -> Iterator[Line]:
    """S3."""
    counts, scale = month.of.counts, month.of.scale
    put, get = prices.S3_PUT, prices.S3_GET
    spilled = counts.spilled * scale
    swept = month.sweep * settings.SWEEPS
    pruned = month.prune * settings.PRUNES
    yield Line("S3", "archive: segments", month.segments, "PUTs", put)
    yield Line("S3", "large bodies", spilled, "PUTs", put)
    yield Line("S3", "large bodies, by announcer and archiver", 2 * spilled, "GETs", get)
    yield Line("S3", "snapshots and compaction", month.dumper.puts, "PUTs, LISTs", put)
    yield Line("S3", "snapshots and compaction", month.dumper.gets, "GETs", get)
    yield Line("S3", "hourly sweep", swept.puts, "LISTs", put, fixed=True)
    yield Line("S3", "hourly sweep", swept.gets, "GETs", get, fixed=True)
    yield Line("S3", "daily prune", pruned.puts, "LISTs", put, fixed=True)
    yield Line("S3", "daily prune", pruned.gets, "GETs", get, fixed=True)
    price, months = prices.S3_GB_MONTH, month.of.months
    archive = counts.archive_bytes * scale * months
    bodies = counts.spilled_bytes * scale * months
    each = counts.snapshot_bytes / counts.snapshots if counts.snapshots else 0.0
    yield Line("S3", "archive: stored", archive / GB, "GB-month", price)
    yield Line("S3", "large bodies: stored", bodies / GB, "GB-month", price)
    stored = each * month.snapshots * months
    yield Line("S3", "snapshots: stored", stored / GB, "GB-month", price)


def _watch(month: Month) -> Iterator[Line]:
    """CloudWatch: logs of the functions, alarms, metrics."""
    bytes_ = (
        month.invocations * settings.LOG_BYTES["executor"]
        + month.announcements * settings.LOG_BYTES["announcer"]
        + month.shipments * settings.LOG_BYTES["archiver"]
        + (month.snapshots + settings.SWEEPS) * settings.LOG_BYTES["dumper"]
    )
    yield Line("CloudWatch", "logs", bytes_ / GB, "GB", settings.LOG_GB)
    hours = min(1.0, month.invocations / settings.SWEEPS)  # a metric without values is free
    metrics = sum(settings.METRICS.values()) * hours / month.of.shape.peak
    yield Line("CloudWatch", "metrics", metrics, "metrics", settings.METRIC)
    yield Line("CloudWatch", "alarms", settings.ALARMS, "alarms", settings.ALARM, fixed=True)


def _history(month: Month) -> float:
    """Dollars a month for storing one month of history, wherever it stands."""
    stored = (line for line in (*_tables(month), *_bucket(month)) if "stored" in line.what)
    dollars = sum(line.dollars for line in stored if not line.what.startswith("state"))
    return dollars / month.of.months if month.of.months else 0.0


def _notes(month: Month) -> Iterator[str]:
    """What was assumed, and what should be known."""
    shape, counts = month.of.shape, month.of.counts
    yield (
        f"messages of a machine in an invocation: {counts.messages / counts.invocations:.3g}; "
        f"actions in a block: {counts.actions / counts.blocks:,.4g}; executors at work at "
        f"once: {shape.environments:,}"
    )
    if counts.conflicts:
        yield (
            f"{counts.conflicts / counts.blocks:.0%} of the commits find that another executor "
            "was there: the cached head was old"
        )
    if shape.rate > shape.most:
        yield (
            f"a machine gets {shape.rate:,.1f} messages a second, and can execute "
            f"{shape.most:,.0f}: pack more actions into a message, or make more machines"
        )
    for name, share in (("hourly sweep", month.swept), ("daily prune", month.pruned)):
        if share < 1:
            yield f"the {name} gets through {share:.0%} of its work: see docs/scaling.md"
    yield (
        f"stored history: {month.of.months:g} month{'s' if month.of.months != 1 else ''}, of "
        f"which each costs ${_history(month):,.2f} a month"
    )
    yield (
        "left out: free tiers, data transfer, taxes, restores, drills, and what reads or "
        "listens besides"
    )
