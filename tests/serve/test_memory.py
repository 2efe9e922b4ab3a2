"""After a login nobody finds the password in our memory, as text or in base64: in no process, on no path through AUTH."""
import base64
import os
import pathlib
import re
import signal
import smtplib
import socket
import time

import pytest
from postern_server import eventually, postern

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may read the memory of a process that is not dumpable")
PASSWORD = "correct-Zebra-9715-battery-Quince-5530-harbour-Juniper-8846-lantern"
WRONG = "mistaken-Walrus-4402-staple-Fjord-7719-pepper-Obsidian-3365-kettle"
RUN, STEP = 12, 6       # any 17 octets in a row are found: free(3) overwrites the first 16 of what it gets


def pieces(password):
    """What of it would be a find: the text, and base64 of it at each of the three alignments, without the ends."""
    raw = password.encode()
    texts = [raw] + [base64.b64encode(b"\0" * shift + raw)[4:-4] for shift in range(3)]
    return {text[at:at + RUN] for text in texts for at in range(0, len(text) - RUN + 1, STEP)}


def finds(pid, wanted):
    """Where one of the pieces lies in the memory of a process."""
    found = []
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            m = re.match(r"([0-9a-f]+)-([0-9a-f]+) r(.)..\s\S+\s\S+\s\d+\s*(.*)", line)
            if not m or m[3] != "w" or m[4] in ("[vvar]", "[vsyscall]"):
                continue
            start, end = int(m[1], 16), int(m[2], 16)
            try:
                memory.seek(start)
                octets = memory.read(end - start)
            except OSError:
                continue
            for piece in wanted:
                at = octets.find(piece)
                while at != -1:
                    found.append(f"{start + at:x} in {m[4] or 'anonymous memory'}: {octets[max(0, at - 24):at + len(piece) + 8]!r}")
                    at = octets.find(piece, at + 1)
    return found


def plain(password):
    return base64.b64encode(b"\0alice\0" + password.encode()).decode()


class Raw:
    """A client that can write an AUTH line in pieces."""

    def __init__(self, server):
        self.tcp = socket.create_connection((server.host, server.submissions), 20)
        self.tls = server.context().wrap_socket(self.tcp, server_hostname="localhost")
        self.reply()
        self.say("EHLO laptop.example.org")

    def reply(self):
        text = b""
        while not re.search(rb"(^|\n)\d{3} [^\n]*\n$", text):
            got = self.tls.recv(4096)
            if not got:
                break
            text += got
        return text.decode()

    def say(self, line, pieces=1):
        octets = (line + "\r\n").encode()
        step = -(-len(octets) // pieces)
        for at in range(0, len(octets), step):
            self.tls.sendall(octets[at:at + step])
            if pieces > 1:
                time.sleep(0.05)
        return self.reply()


def every_path(one, password, good):
    code = "235" if good else "535"
    assert Raw(one).say("AUTH PLAIN " + plain(password)).startswith(code)
    assert Raw(one).say("AUTH PLAIN " + plain(password), pieces=5).startswith(code)
    c = Raw(one)
    assert c.say("AUTH PLAIN").startswith("334")
    assert c.say(plain(password)).startswith(code)
    c = Raw(one)
    assert c.say("AUTH LOGIN").startswith("334")
    assert c.say(base64.b64encode(b"alice").decode()).startswith("334")
    assert c.say(base64.b64encode(password.encode()).decode(), pieces=3).startswith(code)
    # Broken base64, too long a line, a cancelled exchange, pipelined, and gone in the middle.
    assert Raw(one).say("AUTH PLAIN " + plain(password) + "!").startswith("501")
    assert Raw(one).say("AUTH PLAIN " + plain(password) * 300).startswith("5")
    c = Raw(one)
    c.tls.sendall(f"AUTH PLAIN {plain(password)}\r\nNOOP\r\nNOOP {password}\r\n".encode())
    c.reply()
    time.sleep(1.5)
    c.tls.close()
    c = Raw(one)
    c.tls.sendall(f"AUTH PLAIN {plain(password)[:-4]}".encode())
    time.sleep(0.1)
    c.tls.close()
    with smtplib.SMTP("localhost", one.submission, timeout=20) as clear:
        clear.starttls(context=one.context())
        clear.ehlo("laptop.example.org")
        assert str(clear.docmd("AUTH", "PLAIN " + plain(password))[0]) == code


@pytest.mark.parametrize("password,good", [(PASSWORD, True), (WRONG, False)], ids=["right", "wrong"])
def test_no_password_stays(make_server, password, good):
    one = make_server(config="fronts = 1\nauth-login = true\n").start()
    done = postern("user", "add", *one.options, "alice", "--address", "@example.org", "--password", input=PASSWORD + "\n")
    assert done.returncode == 0, done.stderr
    time.sleep(1.1)
    every_path(one, password, good)
    time.sleep(0.3)
    found = {name: finds(pid, pieces(password)) for name, pid in {"master": one.process.pid, **one.children()}.items()}
    assert finds(one.children()["front:0"], {b"mail.example.org"}), "the search finds nothing at all"
    assert not {name: places for name, places in found.items() if places}
    assert one.stop() == 0
    assert not any(p in one.log.read_bytes() for p in pieces(password))


def test_no_password_stays_of_who_talks_on(make_server):
    """A client of the wrong protocol has been told so, and does not listen: what it says until the end is thrown away, and wiped."""
    one = make_server(config="fronts = 1\n").start()
    front = one.children()["front:0"]
    for port, first in ((one.submissions, b"EHLO laptop.example.org\r\n"), (one.submission, b"EHLO laptop.example.org\nNOOP\r\n")):
        with socket.create_connection((one.host, port), 20) as client:
            client.sendall(first)
            said = client.recv(4096)
            while b"421" not in said and b"554" not in said:
                octets = client.recv(4096)
                assert octets, said
                said += octets
            client.sendall(b"AUTH PLAIN " + plain(PASSWORD).encode() + b"\r\n")
            time.sleep(0.3)
            assert not finds(front, pieces(PASSWORD))
    assert one.stop() == 0


def ended(pid):
    """All of it, that is; its parent does not know yet."""
    state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    return state == "Z" and len(os.listdir(f"/proc/{pid}/task")) == 1


def test_no_password_stays_of_who_waited(make_server):
    """A login that came while 3_auth was away is kept for the next one, and nowhere after that; of who did not wait for it neither."""
    one = make_server(config="fronts = 1\n").start()
    waits, leaves = Raw(one), Raw(one)
    os.kill(one.process.pid, signal.SIGSTOP)
    auth = one.children()["auth:0"]
    os.kill(auth, signal.SIGKILL)
    # What comes before the front has seen its end is asked of the one that ends; its channels are there until its last thread is gone.
    eventually(lambda: ended(auth), "the end of 3_auth")
    for raw in (waits, leaves):
        raw.tls.sendall(b"AUTH PLAIN " + plain(PASSWORD).encode() + b"\r\n")
    eventually(lambda: finds(one.children()["front:0"], pieces(PASSWORD)), "a password that waits")
    leaves.tcp.close()
    leaves.tls.close()
    os.kill(one.process.pid, signal.SIGCONT)
    assert waits.reply().startswith("535 5.7.8")
    time.sleep(0.3)
    for name in ("front:0", "auth:0"):
        assert not finds(one.children()[name], pieces(PASSWORD)), name
    waits.tls.close()
    assert one.stop() == 0
