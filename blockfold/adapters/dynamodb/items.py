"""A block as a DynamoDB item.

The attributes stand for the header's fields; what can be derived from them is not stored. The
body is packed canonical JSON (`blockfold.adapters.dynamodb.packing`) in ``body``, or in the object
that ``body_key`` names when the item has the body's hash as ``spilled``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blockfold.adapters.dynamodb.packing import unpack
from blockfold.domain import digest
from blockfold.domain.block import FORMAT, Block, Header, payload_hash
from blockfold.domain.canonical import Canonical
from blockfold.domain.errors import Corrupted
from blockfold.domain.keys import body_key
from blockfold.ports import ObjectStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

INLINE_BYTES = 16 * 1024
"""Compressed bytes up to which a body stays in the item. At 8 KB a PUT to S3 ($5 per million) costs
as much as the write units that it saves ($0.625 per million and KB); up to twice that, an item is
dearer by at most $5 per million blocks of a thousand actions, and a commit twice as quick."""


def to_item(block: Block, packed: bytes | None) -> dict[str, AttributeValueTypeDef]:
    """A block as an item.

    Args:
        block: The block.
        packed: Its compressed body; None if that stands in the object store.
    """
    header = block.header
    item: dict[str, AttributeValueTypeDef] = {
        "machine": {"S": header.machine},
        "number": {"N": str(header.number)},
        "parent": {"B": bytes.fromhex(header.parent)},
        "hash": {"B": bytes.fromhex(block.hash)},
        "sum": {"B": digest.to_bytes(block.total)},
        "epoch": {"N": str(header.epoch)},
        "ordinal": {"N": str(header.ordinal)},
        "outcomes": {"L": [{"N": str(count)} for count in header.outcomes]},
        "changes": {"N": str(header.changes)},
        "keys": {"N": str(header.keys)},
        "time": {"N": str(header.time)},
        "code": {"S": header.code},
        "format": {"N": str(header.format)},
    }
    if packed is None:
        item["spilled"] = {"B": bytes.fromhex(header.body)}
    else:
        item["body"] = {"B": packed}
    return item


def from_item(item: dict[str, AttributeValueTypeDef], bodies: ObjectStore) -> Block:
    """The block in an item.

    Raises:
        Corrupted: Item or body are damaged, missing, or not what the block's hash covers.
    """
    try:
        payload = _payload(item, bodies)
        block = _block(item, payload)
        found, wanted = block.hash, bytes(item["hash"]["B"]).hex()
    except (LookupError, AttributeError, ValueError, TypeError, OverflowError) as error:
        raise Corrupted(f"{_name(item)} is damaged in the Blocks table: {error!r}") from error
    if found != wanted:
        raise Corrupted(f"{_name(item)} is not what its hash says: item or body were changed")
    return block


def _name(item: dict[str, Any]) -> str:
    """The block as errors name it, with the object that holds its body, if there is one."""
    try:
        name = f"block {item['number']['N']} of machine {item['machine']['S']!r}"
        return f"{name} with its body in {_spilled_key(item)}" if _is_spilled(item) else name
    except (LookupError, AttributeError, ValueError, TypeError):
        return "an item that names no block"


def _block(item: dict[str, Any], payload: Canonical) -> Block:
    if (version := int(item["format"]["N"])) != FORMAT:
        raise Corrupted(
            f"{_name(item)} has format {version}, this version reads {FORMAT}",
            hint="if a newer version wrote it, use that one",
        )
    applied, rejected, failed, malformed = (int(each["N"]) for each in item["outcomes"]["L"])
    total = int.from_bytes(item["sum"]["B"], "big")
    header = Header(
        machine=item["machine"]["S"],
        number=int(item["number"]["N"]),
        epoch=int(item["epoch"]["N"]),
        parent=bytes(item["parent"]["B"]).hex(),
        body=payload_hash(payload),
        digest=digest.digest_of(total),
        ordinal=int(item["ordinal"]["N"]),
        outcomes=(applied, rejected, failed, malformed),
        changes=int(item["changes"]["N"]),
        keys=int(item["keys"]["N"]),
        time=int(item["time"]["N"]),
        code=item["code"]["S"],
    )
    return Block(header, payload, total)


def _payload(item: dict[str, Any], bodies: ObjectStore) -> Canonical:
    if not _is_spilled(item):
        return unpack(bytes(item["body"]["B"]), _name(item))
    packed = bodies.get(_spilled_key(item))
    if packed is None:
        raise Corrupted(f"{_name(item)}: there is no such object")
    return unpack(packed, _name(item))


def _is_spilled(item: dict[str, Any]) -> bool:
    return "body" not in item and "B" in item.get("spilled", {})


def _spilled_key(item: dict[str, Any]) -> str:
    sha256 = bytes(item["spilled"]["B"]).hex()
    return body_key(item["machine"]["S"], int(item["number"]["N"]), sha256)
