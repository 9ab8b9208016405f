"""Where an emulator answers other than AWS's documentation, and so other than the simulator.

A case that is listed here fails on that emulator, every time: were it to pass, the list would be
out of date, and the suite says so. ``docs/simulated-services.md`` shows the list.
"""

from __future__ import annotations

from tests.simulation.contract.backends import DYNAMODB_LOCAL, MINISTACK

_NO_NAME = "stores attributes and map keys with empty names"
_NO_CHECK = "PartiQL: checks neither the sizes of keys nor whether they are empty"
_ANY_ID = "takes any text for group and deduplication ids"
_ANY_DETAIL = "takes events whose detail is no JSON object"
_NO_ITEM = "PartiQL: hands no item back (version 1.25)"

KNOWN_DIFFERENCES: dict[tuple[str, str], str] = {
    (MINISTACK, "test_an_item_that_it_does_not_take_is_invalid[an empty name]"): _NO_NAME,
    (MINISTACK, "test_an_item_that_it_does_not_take_is_invalid[an empty name in a map]"): _NO_NAME,
    (MINISTACK, "test_an_update_that_makes_no_sense_is_invalid[a clause twice]"): (
        "takes an update with two SET clauses"
    ),
    (MINISTACK, "test_a_batch_get_answers_sixteen_megabytes_and_names_the_rest"): (
        "BatchGetItem answers with any number of bytes"
    ),
    (MINISTACK, "test_a_bad_statement_fails_alone[an empty key]"): _NO_CHECK,
    (MINISTACK, "test_a_bad_statement_fails_alone[a key too long]"): _NO_CHECK,
    (MINISTACK, "test_a_bad_request_fails_as_a_whole[a number out of range]"): (
        "PartiQL: stores numbers that are out of range"
    ),
    (MINISTACK, "test_two_statements_for_one_item_are_a_bad_request"): (
        "executes both statements, and says so"
    ),
    (MINISTACK, "test_keys_have_1024_bytes[1025-False]"): "stores objects under longer keys",
    (MINISTACK, "test_a_thousand_keys_are_the_most"): "deletes any number of objects at once",
    (MINISTACK, "test_a_receipt_expires_with_the_visibility_timeout"): (
        "deletes by an expired receipt until the message is received again"
    ),
    (MINISTACK, "test_deleting_a_message_twice_is_no_error"): "refuses to delete what is gone",
    (MINISTACK, "test_an_old_receipt_of_a_standard_message_deletes_nothing_and_is_no_error"): (
        "refuses old receipts"
    ),
    (MINISTACK, "test_a_message_that_it_does_not_take[a group too long]"): _ANY_ID,
    (MINISTACK, "test_a_message_that_it_does_not_take[a group of other characters]"): _ANY_ID,
    (MINISTACK, "test_a_message_that_it_does_not_take[a deduplication id with a space]"): _ANY_ID,
    (MINISTACK, "test_an_event_has_the_time_that_it_was_given"): (
        "gives events the time at which they come"
    ),
    (MINISTACK, "test_a_detail_that_is_no_object_fails_alone[half an object]"): _ANY_DETAIL,
    (MINISTACK, "test_a_detail_that_is_no_object_fails_alone[a list]"): _ANY_DETAIL,
    (MINISTACK, "test_a_detail_that_is_no_object_fails_alone[a string]"): _ANY_DETAIL,
    (MINISTACK, "test_a_detail_that_is_no_object_fails_alone[a number]"): _ANY_DETAIL,
    (MINISTACK, "test_a_mebibyte_is_the_most"): "takes events of any size",
    (DYNAMODB_LOCAL, "test_numbers_inside_lists_and_maps_are_made_canonical"): (
        "keeps numbers inside lists and maps as they were written"
    ),
    (DYNAMODB_LOCAL, "test_the_fence_hands_the_newer_item_back[4]"): _NO_ITEM,
    (DYNAMODB_LOCAL, "test_the_fence_hands_the_newer_item_back[5]"): _NO_ITEM,
}
"""(backend, test) → what the emulator does instead."""
