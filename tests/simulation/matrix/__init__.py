"""The crash matrix: each use case, struck at each of its calls to AWS, and made good.

Each use case is run once on the simulated services, and its calls are written down. Then it is run
again for each point: its process dies before a call, after it, or between two parts of a batch; or
the call fails, takes effect and is not answered, is sent twice by the SDK, or loses to another
write. After that, whoever makes it good in production does: queue, stream and bus deliver again,
the sweep runs, people repeat what failed. Then all laws are held, and the outcome is held against
that of the run without a fault.

    python -m tests.simulation.matrix             # all points, with the totals
    python -m tests.simulation.matrix --case fork # one use case
    python -m tests.simulation.matrix --write     # the table in docs/reliability.md

Nothing is listed by hand: the calls come from the recording, what must be a use case from the code.
"""
