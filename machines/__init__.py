"""Machines that ship with Blockfold: read them as examples, deploy them as they are."""
