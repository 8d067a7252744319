"""A small mail server: it keeps what it is given, or refuses it as it is told. Loopback only."""

import email
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message


@dataclass(slots=True, kw_only=True)
class MailServer:
    """What came in; `refusal` answers every recipient, e.g. "550 no such user"."""

    port: int = 0
    letters: list[tuple[str, Message]] = field(default_factory=list)
    refusal: str | None = None

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}/?from=aftercare@clinic.test"

    def to(self, address: str) -> list[Message]:
        """Return the letters to an address, the oldest first."""
        return [letter for recipient, letter in self.letters if recipient == address]


class _Talk(socketserver.StreamRequestHandler):
    box: MailServer

    def handle(self) -> None:
        self._say("220 mail.clinic.test")
        recipient = ""
        while line := self.rfile.readline().decode("ascii", "replace").strip():
            command = line[:4].upper()
            if command == "QUIT":
                self._say("221 bye")
                return
            if command == "RCPT":
                recipient = line.partition("<")[2].partition(">")[0]
                self._say(self.box.refusal or "250 ok")
            elif command == "DATA":
                self._say("354 go on")
                self.box.letters.append((recipient, email.message_from_bytes(self._letter())))
                self._say("250 taken")
            else:
                self._say("250 ok")

    def _letter(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)

    def _say(self, words: str) -> None:
        self.wfile.write(words.encode() + b"\r\n")


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Run a mail server for the block."""
    box = MailServer()
    handler = type("Talk", (_Talk,), {"box": box})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        box.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield box
        finally:
            server.shutdown()
            thread.join()
