"""The log, the state table and the register of machines in DynamoDB."""

from blockfold.adapters.dynamodb.blocks import DynamoBlockLog
from blockfold.adapters.dynamodb.machines import DynamoMachines
from blockfold.adapters.dynamodb.state import DynamoStateTable

__all__ = ["DynamoBlockLog", "DynamoMachines", "DynamoStateTable"]
