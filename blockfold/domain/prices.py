"""What AWS charges: us-east-1, on demand, November 2026; no free tier, no tax.

From aws.amazon.com/<service>/pricing: dynamodb, sqs, lambda, s3, eventbridge. Other regions cost up
to about half as much again.
"""

WRU = 0.625e-6
"""Dollars for a write unit: an item of up to 1 KB written; in a transaction it takes two."""

RRU = 0.125e-6
"""Dollars for a read unit: up to 4 KB read consistently."""

SQS_REQUEST = 0.50e-6
"""Dollars for a request to a FIFO queue, for each started 64 KB of it."""

EVENT = 1.00e-6
"""Dollars for a custom event, for each started 64 KB of it."""

S3_PUT = 5.0e-6
"""Dollars for a PUT, COPY, POST or LIST."""

S3_GET = 0.40e-6
"""Dollars for a GET or HEAD."""

LAMBDA_REQUEST = 0.20e-6
"""Dollars for an invocation."""

LAMBDA_GB_SECOND = 0.0000133334
"""Dollars for a GB-second on arm64, initialisation included."""

DYNAMODB_GB_MONTH = 0.25
"""Dollars for a GB stored for a month, standard class."""

S3_GB_MONTH = 0.023
"""Dollars for a GB stored for a month, standard class."""
