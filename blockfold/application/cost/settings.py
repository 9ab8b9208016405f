"""How the stack's template sets up what is paid for; a test holds it against the template."""

from __future__ import annotations

GIGABYTES = 1_769 / 1_024
"""Memory of each function."""

ANNOUNCED = 100
"""Blocks of a batch of the announcer."""

LANES = 4
"""Batches of a shard that the announcer has in work at once."""

SHIPPED = 1_000
"""Blocks of a batch of the archiver."""

SWEEPS = 730
"""Sweeps of the dumper a month: hourly."""

PRUNES = 30.4
"""Sweeps of the pruner a month: daily."""

FUNCTION_MINUTES = 14
"""What dumper and pruner use of Lambda's 15."""

ALARMS = 7

POLL_SECONDS = 0.25
"""Lambda looks at each shard of a stream four times a second (Lambda Developer Guide, "Polling and
batching streams"); what comes in between makes a batch."""

POLLS = 657_000
"""Requests of Lambda to an idle queue a month: five pollers that wait for 20 seconds each (Lambda
Developer Guide, "Configuring scaling behavior for SQS event source mappings")."""

PUT_LANES = 8
"""Segments that the archiver stores at once (`blockfold.application.ship`)."""

CACHED = 500
"""Machines of which an executor keeps the head (`blockfold.application.execute`)."""

CACHED_SECONDS = 240.0
"""For how long (likewise)."""

ITEM_OVERHEAD = 100
"""Bytes that DynamoDB stores besides each item (Developer Guide, "DynamoDB item sizes")."""

LOG_BYTES = {"executor": 1_150, "announcer": 800, "archiver": 800, "dumper": 1_600}
"""Bytes of log that an invocation writes for one machine. The executor's lines are measured, the
others' alike; with them, Lambda's START, END and REPORT, and what CloudWatch adds to each."""

SQS_REQUEST = 0.40e-6
"""Dollars for a request to a standard queue: the one of checks."""

LOG_GB = 0.50
"""Dollars for a GB of logs taken in (aws.amazon.com/cloudwatch/pricing)."""

ALARM = 0.10
"""Dollars for an alarm a month (likewise)."""

METRIC = 0.30
"""Dollars for a custom metric a month, if it has values in all its hours (likewise)."""

METRICS = {"executor": 7, "announcer": 1, "archiver": 1, "dumper": 1}
"""Metrics that a function's invocations write where nothing goes wrong."""

RECOVERY_GB_MONTH = 0.20
"""Dollars for a GB of a table whose point-in-time recovery is on, a month
(aws.amazon.com/dynamodb/pricing)."""
