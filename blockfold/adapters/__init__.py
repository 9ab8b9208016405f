"""The ports' implementations: memory, DynamoDB, S3, the system's clock and timers."""
