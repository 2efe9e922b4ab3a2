"""A slow transfer is not disturbed by what happens in the spool meanwhile (see WHY)."""
import socket
import threading
import time

from postern_server import eventually
from road import LETTER, QUICK, SENDER, await_empty, client, submit

LINE = b"x" * 74 + b"\r\n"


class Slow:
    """A next hop that says 354 and does not read before it is told to."""

    def __init__(self, address, port):
        self.go, self.in_content, self.contents, self.tries = threading.Event(), threading.Event(), [], 0
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.listener.bind((address, port))
        self.listener.listen()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            s, _ = self.listener.accept()
            self.tries += 1
            try:
                self.serve(s, s.makefile("rb"))
            except OSError:
                pass

    def serve(self, s, lines):
        s.sendall(b"220 slow\r\n")
        for line in lines:
            if line.upper().startswith(b"DATA"):
                s.sendall(b"354 wait\r\n")
                self.in_content.set()
                self.go.wait(60)
                content = []
                for one in lines:
                    if one == b".\r\n":
                        self.contents.append(b"".join(content))
                        break
                    content.append(one)
            s.sendall(b"250 slow\r\n")


def test_slow_transfer(world):
    fast = world.hop("127.0.0.2")
    slow = Slow("127.0.0.3", world.port)
    world.names({"fast.example": "127.0.0.2", "slow.example": "127.0.0.3"})
    server = world.serve(QUICK + 'segment-size = "1 MiB"\n')
    big = LETTER + LINE * 110000
    submit(server, "b@slow.example", content=big)
    assert slow.in_content.wait(10)
    first = sorted((server.state / "spool").glob("*.log"))[1]
    with client(server) as smtp:
        for _ in range(30):
            smtp.sendmail(SENDER, ["b@fast.example"], LETTER + LINE * 10000)
    eventually(lambda: len(fast.mails) == 30, "the fast ones")
    # Whoever wants to take the segments away has the time to: 4_spool looks for what it can do without once a second.
    time.sleep(3)
    assert first.exists()
    slow.go.set()
    eventually(lambda: slow.contents, "the slow one", 20)
    assert slow.contents[0].endswith(big[len(LETTER):]) and slow.tries == 1
    assert not server.events("deferred") and not server.events("content-unreadable")
    await_empty(server)
    eventually(lambda: not first.exists(), "its segments gone afterwards", 10)
