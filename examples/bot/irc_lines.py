"""How text fits into IRC: lines of 512 bytes, names that differ by case, not too much at once."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from string import ascii_lowercase, ascii_uppercase

MAX_LINE_BYTES = 512
"""RFC 2812, 2.3: with prefix and CR LF."""

MAX_USER_BYTES = 11
MAX_HOST_BYTES = 63
"""What servers put after the nick, at most: ``!~user@host`` (RFC 2812, 2.3.1)."""

MOST_LINES = 8
"""Of one answer; the rest of a longer one is left out."""

_MORE = "… "
_ZERO_WIDTH_JOINER = "\u200d"
_ASCII = str.maketrans(ascii_uppercase, ascii_lowercase)
_RFC1459 = str.maketrans(ascii_uppercase + r"[]\^", ascii_lowercase + "{}|~")


def same_nick(nick: str, casemapping: str = "rfc1459") -> str:
    """A nick in the form in which a server compares it (ISUPPORT ``CASEMAPPING``)."""
    return nick.translate(_ASCII if casemapping == "ascii" else _RFC1459)


def room(nick: str, target: str) -> int:
    """Bytes of text that reach everybody if ``nick`` says them to ``target``.

    The server puts our mask before the line when it passes it on, and cuts what is too long then.
    """
    mask = len(nick.encode()) + MAX_USER_BYTES + MAX_HOST_BYTES + len(":!@ ")
    return MAX_LINE_BYTES - mask - len(b"PRIVMSG  :\r\n") - len(target.encode())


def split(text: str, size: int) -> list[str]:
    """A text in pieces of at most so many bytes of UTF-8: at spaces, else between characters.

    At most `MOST_LINES`: then the last one says how much is left out. Pieces but the first begin
    with an ellipsis.
    """
    pieces: list[str] = []
    while text:
        lead = _MORE if pieces else ""
        end = _end(text, size - len(lead.encode()))
        if len(pieces) == MOST_LINES - 1 and end < len(text):
            tail = f" … (and {len(text) - end:,} characters more)"
            end = _end(text, size - len((lead + tail).encode()) - 1)
            tail = f" … (and {len(text) - end:,} characters more)"
            return [*pieces, lead + text[:end].rstrip() + tail]
        pieces.append(lead + text[:end].rstrip())
        text = text[end:].lstrip()
    return pieces


def _end(text: str, size: int) -> int:
    """Where the first piece of a text ends: at least one character is in it."""
    end = len(text.encode()[:size].decode(errors="ignore"))
    if end >= len(text):
        return len(text)
    space = text.rfind(" ", 0, end + 1)
    if space > end // 2:
        return space
    whole = end
    while whole > 1 and _joined(text, whole):
        whole -= 1
    return max(whole if whole > end // 2 else end, 1)


def _joined(text: str, place: int) -> bool:
    """Whether the characters before and after a place are one to the reader."""
    joiner = _ZERO_WIDTH_JOINER in (text[place - 1], text[place])
    return joiner or unicodedata.combining(text[place]) != 0


def nicks(wanted: str, longest: int = 9) -> Iterator[str]:
    """The wanted nick, then others for when it is taken.

    Args:
        wanted: The nick.
        longest: Characters that every server takes (RFC 2812, 1.2.1).
    """
    yield wanted
    yield f"{wanted[: longest - 1]}_"
    for number in range(2, 1_000):
        end = str(number)
        yield f"{wanted[: longest - len(end)]}{end}"


class Bucket:
    """Flood control: so many lines at once, then one each so many seconds (RFC 2813, 5.8).

    Args:
        burst: Lines at once.
        seconds: For each line more.
        now: A clock in seconds that never goes back.
    """

    def __init__(self, burst: int, seconds: float, now: Callable[[], float]) -> None:
        self._ahead = max(burst - 1, 0) * seconds
        self._seconds = seconds
        self._now = now
        self._free = now()

    def wait(self) -> float:
        """Seconds until a line may go; 0 if now."""
        return max(0.0, self._free - self._ahead - self._now())

    def take(self) -> None:
        """Count a line that goes now."""
        self._free = max(self._free, self._now()) + self._seconds
