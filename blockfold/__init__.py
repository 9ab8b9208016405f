"""Blockfold: a serverless state machine on AWS that remembers everything."""

from blockfold.domain.action import Action, Message
from blockfold.domain.block import Block, Head
from blockfold.domain.context import Context
from blockfold.domain.errors import BlockfoldError
from blockfold.domain.execute import execute
from blockfold.domain.limits import Limits
from blockfold.domain.machine import Machine, Reject, action
from blockfold.domain.state import State

__all__ = [
    "Action",
    "Block",
    "BlockfoldError",
    "Context",
    "Head",
    "Limits",
    "Machine",
    "Message",
    "Reject",
    "State",
    "action",
    "execute",
]

__version__ = "0.1.0"
