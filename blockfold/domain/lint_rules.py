"""What `blockfold.domain.lint` looks for: rules, and the names that break them."""

from __future__ import annotations

RULES = {
    "clock": "time comes from context.time",
    "random": "chance comes from context.random, names from context.id",
    "io": "a reducer reads the state and nothing else",
    "set": "the order of a set differs between processes: sort it",
    "identity": "hash() and id() differ between processes",
    "global": "what is kept outside the state is lost, or seen by other machines",
    "concurrency": "the order of threads and tasks is left to chance",
    "float": "this function's last digit differs between platforms",
    "batching": "context.number depends on how messages were batched",
    "swallow": "this swallows the end of an action's time, and its own Reject",
    "allow": "an exception names a rule that is broken there, and a reason",
}
"""Each rule with the reason for it."""

CALLS = {
    "clock": (
        *("time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.sleep"),
        *("time.perf_counter", "time.perf_counter_ns", "time.process_time", "time.localtime"),
        *("time.gmtime", "time.ctime", "time.asctime", "time.strftime", "time.clock_gettime"),
        *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today"),
        *("datetime.date.today", "datetime.datetime.fromtimestamp", "datetime.date.fromtimestamp"),
    ),
    "random": ("uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7", "uuid.uuid8", "os.urandom"),
    "io": ("open", "input", "print", "breakpoint", "exec", "eval", "compile", "__import__"),
    "identity": ("hash", "id"),
    "float": tuple(
        f"math.{name}"
        for name in (
            *("sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh"),
            *("asinh", "acosh", "atanh", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p"),
            *("pow", "gamma", "lgamma", "erf", "erfc", "cbrt", "hypot"),
        )
    ),
}
"""Functions by their full names."""

MODULES = {
    "random": ("random", "secrets", "numpy.random"),
    "io": (
        *(
            "os",
            "io",
            "pathlib",
            "shutil",
            "tempfile",
            "glob",
            "fileinput",
            "sqlite3",
            "subprocess",
        ),
        *("socket", "ssl", "urllib.request", "http", "ftplib", "smtplib", "requests", "httpx"),
        *("aiohttp", "boto3", "botocore", "ctypes", "platform", "locale", "getpass", "signal"),
    ),
    "concurrency": ("threading", "asyncio", "multiprocessing", "concurrent", "_thread", "queue"),
}
"""Modules of which nothing should be used."""

HARMLESS = (
    *("os.path.join", "os.path.basename", "os.path.dirname", "os.path.split", "os.path.splitext"),
    *("pathlib.PurePath", "pathlib.PurePosixPath", "io.StringIO", "io.BytesIO", "http.HTTPStatus"),
)

ORDERLESS = {"sorted", "len", "min", "max", "sum", "any", "all", "set", "frozenset", "bool"}
"""Functions that do not care for the order of what they are given."""

MUTATORS = {
    *("append", "extend", "insert", "remove", "pop", "popitem", "clear", "update", "setdefault"),
    *("add", "discard", "sort", "reverse", "appendleft"),
}
MUTABLE_CALLS = {"list", "dict", "set", "bytearray", "deque", "defaultdict", "Counter"}
