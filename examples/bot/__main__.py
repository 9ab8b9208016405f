"""The bot's command line: ``python -m examples.bot --help``."""

from __future__ import annotations

import argparse
import getpass
import io
import logging
import os
import signal
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from blockfold.domain.errors import BlockfoldError, Misconfigured
from examples.bot.bot import Bot
from examples.bot.chat import Chat
from examples.bot.irc_chat import IrcChat
from examples.bot.irc_network import Network
from examples.bot.naming import folded
from examples.bot.object_memory import ObjectMemory
from examples.bot.terminal import TerminalChat

if TYPE_CHECKING:
    from examples.bot.stack_memory import StackMemory

PASSWORD_VARIABLE = "BOT_IRC_PASSWORD"  # noqa: S105 - its name, not a password
PLAIN_PORT, TLS_PORT = 6667, 6697


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bot until its chat ends; 0 if it ended well."""
    asked = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    try:
        with _memory(asked) as memory:
            _chat(asked).run(Bot(memory).answer)
    except BlockfoldError as error:
        _report(f"error: {error}")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m examples.bot", description="Run the bot.")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--stack", help="stack to remember in [default: as the command line]")
    where.add_argument(
        "--local-object", type=Path, metavar="FOLDER", help="remember in a folder, without AWS"
    )
    chats = parser.add_subparsers(dest="chat", required=True, metavar="CHAT")
    terminal = chats.add_parser("terminal", help="talk here")
    terminal.add_argument("--server", default="terminal", help="name of the server to play")
    terminal.add_argument("--user", help="who you are [default: your login]")
    irc = chats.add_parser(
        "irc", help="join an IRC network", epilog=f"A password is taken from ${PASSWORD_VARIABLE}."
    )
    irc.add_argument("host")
    irc.add_argument("--port", type=int, help=f"[default: {PLAIN_PORT}, with TLS {TLS_PORT}]")
    irc.add_argument("--tls", action="store_true", help="encrypt")
    irc.add_argument("--tls-ca", type=Path, metavar="FILE", help="authority to trust; implies TLS")
    irc.add_argument("--network", metavar="NAME", help="remember under this name [default: HOST]")
    irc.add_argument("--nick", default="remember")
    irc.add_argument("--channel", action="append", default=[], help="may be repeated")
    return parser


def _memory(asked: argparse.Namespace) -> ObjectMemory | StackMemory:
    if asked.local_object is not None:
        return ObjectMemory(asked.local_object)
    from examples.bot.stack_memory import StackMemory  # noqa: PLC0415 - boto3 is slow to import

    return StackMemory.connect(asked.stack)


def _chat(asked: argparse.Namespace) -> Chat:
    if asked.chat == "terminal":
        user = folded(asked.user or getpass.getuser())
        return TerminalChat(_tolerant(sys.stdin), sys.stdout, server=asked.server, user=user)
    tls = _tls(asked)
    chat = IrcChat(
        Network(
            host=asked.host,
            port=asked.port or (TLS_PORT if tls else PLAIN_PORT),
            name=asked.network or asked.host.lower(),
            nick=asked.nick,
            channels=tuple(asked.channel),
            password=os.environ.get(PASSWORD_VARIABLE) or None,
            tls=tls,
        ),
        _report,
    )
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, chat.stop)
    return chat


def _tls(asked: argparse.Namespace) -> ssl.SSLContext | None:
    if not asked.tls and asked.tls_ca is None:
        return None
    try:
        return ssl.create_default_context(cafile=asked.tls_ca)
    except OSError as error:  # an SSLError is one
        raise Misconfigured(
            f"the authority {asked.tls_ca} cannot be read: {error}", hint="name a file in PEM"
        ) from error


def _tolerant(lines: TextIO) -> TextIO:
    """The stream, with a sign instead of bytes that are no text."""
    if isinstance(lines, io.TextIOWrapper):
        lines.reconfigure(errors="replace")
    return lines


def _report(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
