"""The pure core: actions, machines, state, blocks and their hashes. No I/O, no clock."""
