"""``irc.server`` behind TLS: ``python -m tests.bot.tls_server -p PORT CERTIFICATE_AND_KEY``."""

from __future__ import annotations

import argparse
import socket
import ssl
from typing import Any

from irc.server import IRCClient, IRCServer


class TlsServer(IRCServer):  # type: ignore[misc]
    context: ssl.SSLContext

    def get_request(self) -> tuple[socket.socket, Any]:
        plain, address = super().get_request()
        try:
            return self.context.wrap_socket(plain, server_side=True), address
        except OSError:
            plain.close()
            raise


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-p", type=int, dest="port")
    parser.add_argument("chain")
    asked = parser.parse_args()
    TlsServer.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    TlsServer.context.load_cert_chain(asked.chain)
    TlsServer(("127.0.0.1", asked.port), IRCClient).serve_forever()


if __name__ == "__main__":
    main()
