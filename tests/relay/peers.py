"""The other side of 5_relay: its master, its 4_spool, next hops that do as they are told, and a small DNS server.

What goes over the channels is described in src/proc/peers.h and src/base/fields.h; frames in src/os/channel.h.
Everything is on loopback and ends by itself: each wait has a time-out.
"""
import base64
import contextlib
import os
import pathlib
import select
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time

from listeners import Listener
from postern_server import POSTERN

CONF, PEER, SECRET, GO, RELOAD, DRAIN, READY, DRAINED = 1, 5, 6, 7, 8, 9, 20, 21
SEGMENT, SEGMENT_GONE, TRY, RCPT, LETTER_TAKEN, RESULT, DONE, LETTER = 80, 81, 82, 83, 85, 90, 91, 92
DKIM, SIGN_DKIM_ASK, SIGN_DKIM_ANSWER = 16, 32, 33
ROLE_SIGNER, ROLE_SPOOL = 2, 4
DELIVERED, LATER, NEVER = 0, 1, 2
GREETING, EHLO, STARTTLS, AUTH, MAIL, RCPT_STAGE, DATA, CONTENT = range(8)
FLAG_8BIT, FLAG_UTF8, FLAG_BINARY = 1, 2, 64
PATIENCE = 20
RELAY_CHILD = str(pathlib.Path(POSTERN).parent / "tests" / "relay" / "relay_child")


def u32(n):
    return struct.pack("<I", n)


def u64(n):
    return struct.pack("<Q", n)


def text(s):
    b = s if isinstance(s, bytes) else s.encode()
    return u32(len(b)) + b


class Channel:
    """One end of a private conversation."""

    def __init__(self, sock):
        self.sock, self.have = sock, b""

    def send(self, kind, session=0, body=b"", fd=None):
        head = struct.pack("<IHHI", len(body), kind, 0 if fd is None else 1, session)
        if fd is None:
            self.sock.sendall(head + body)
        else:
            socket.send_fds(self.sock, [head + body], [fd])

    def receive(self, patience=PATIENCE):
        end = time.monotonic() + patience
        while True:
            if len(self.have) >= 12:
                length, kind, _, session = struct.unpack("<IHHI", self.have[:12])
                if len(self.have) >= 12 + length:
                    body, self.have = self.have[12:12 + length], self.have[12 + length:]
                    return kind, session, body
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                raise TimeoutError("nothing came from 5_relay")
            piece = self.sock.recv(1 << 16)
            if not piece:
                raise EOFError("5_relay has gone")
            self.have += piece


class Result:
    def __init__(self, body):
        (self.number, self.cls, self.code, self.stage, self.dsn) = struct.unpack("<5I", body[:20])
        self.when, = struct.unpack("<Q", body[20:28])
        at, out = 28, []
        for _ in range(4):
            n, = struct.unpack("<I", body[at:at + 4])
            out.append(body[at + 4:at + 4 + n].decode())
            at += 4 + n
        self.by, = struct.unpack("<I", body[at:at + 4])
        assert at + 4 == len(body)
        self.enhanced, self.host, self.tls, self.text = out

    def __repr__(self):
        return "%s %s %s %s stage=%s host=%r tls=%r %r" % (
            self.number, ["delivered", "later", "never"][self.cls], self.code, self.enhanced, self.stage, self.host,
            self.tls, self.text)


class Letter:
    """A TLS report that 5_relay wants mailed."""

    def __init__(self, session, body):
        self.session, at, out = session, 0, []
        for kind in "ttIQQQt":
            if kind == "t":
                n, = struct.unpack("<I", body[at:at + 4])
                out.append(body[at + 4:at + 4 + n])
                at += 4 + n
            else:
                n = 4 if kind == "I" else 8
                out.append(int.from_bytes(body[at:at + n], "little"))
                at += n
        assert at == len(body)
        self.to, self.domain = out[0].decode(), out[1].decode()
        self.day, self.successful, self.failed, self.missed, self.report = out[2:]


class Relay:
    """5_relay under test, started and configured."""

    def __init__(self, conf, password=None):
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen([RELAY_CHILD], pass_fds=[], preexec_fn=lambda: os.dup2(theirs.fileno(), 3),
                                        close_fds=False, stderr=self.log)
        theirs.close()
        self.master = Channel(ours)
        self.state = tempfile.TemporaryDirectory()
        self.conf = {"hostname": "relay.example", "retry-first": "1 s", "state-dir": self.state.name}
        self.conf.update(conf)
        self.send_conf()
        if password is not None:
            self.master.send(SECRET, 0, password.encode())
        self.new_spool()
        self.master.send(GO)
        assert self.master.receive()[0] == READY
        self.sessions, self.segments, self.pending = 0, 0, {}

    def send_conf(self):
        self.master.send(CONF, 0, "".join("%s = %s\n" % kv for kv in self.conf.items()).encode())

    def new_spool(self):
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self.master.send(PEER, 0, u32(ROLE_SPOOL) + u32(0) + u32(1), theirs.fileno())
        theirs.close()
        self.spool = Channel(ours)

    def new_signer(self):
        """The channel of a fresh 2_signer, whose part is the test's."""
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self.master.send(PEER, 0, u32(ROLE_SIGNER) + u32(0) + u32(1), theirs.fileno())
        theirs.close()
        self.signer = Channel(ours)
        return self.signer

    def stage_dkim(self, keys):
        """[(domain, selector, algorithm)], for the next reload."""
        for i, (domain, selector, algorithm) in enumerate(keys):
            self.master.send(DKIM, 0, u32(i) + u32(len(keys)) + u32(algorithm) + text(domain) + text(selector) + text(""))

    def reload(self, **conf):
        self.conf.update({k.replace("_", "-"): v for k, v in conf.items()})
        self.send_conf()
        self.master.send(RELOAD)

    def store(self, content, pieces=1):
        """Put content into segments; returns its extents."""
        extents, size = b"", max(1, (len(content) + pieces - 1) // pieces)
        for at in range(0, len(content), size):
            piece = content[at:at + size]
            self.segments += 1
            with tempfile.TemporaryFile() as f:
                f.write(b"record head " + piece + b" record tail")
                f.flush()
                self.spool.send(SEGMENT, 0, u64(self.segments), f.fileno())
            extents += u64(self.segments) + u64(12) + u32(len(piece))
        return extents

    def attempt(self, rcpts, content=b"Subject: x\r\n\r\nhello\r\n", destination="", sender="a@relay.example", flags=0,
                ret=0, envid="", notify=0, orcpt="", pieces=1, extents=None, arrival=1790000000000, queue_id=7 << 18,
                deadline=0, by=0, priority=0, login=""):
        self.sessions += 1
        if extents is None:
            extents = self.store(content, pieces)
        body = (u64(queue_id) + u64(arrival) + u32(1) + u32(len(rcpts)) + u32(flags) + u32(ret) + text(destination) +
                text(sender) + text(envid) + u64(len(content)) + text(extents) + u64(deadline) + u32(by) +
                u32(priority & 0xffffffff) + text(login))
        self.spool.send(TRY, self.sessions, body)
        for number, path in enumerate(rcpts):
            self.spool.send(RCPT, self.sessions, u32(number) + text(path) + u32(notify) + text(orcpt))
        self.pending[self.sessions] = []
        return self.sessions

    def wait(self, session, patience=PATIENCE):
        """The results of one attempt, by recipient."""
        end = time.monotonic() + patience
        while self.pending[session] is not None and (not self.pending[session] or self.pending[session][-1] is not DONE):
            kind, s, body = self.spool.receive(end - time.monotonic())
            if kind == RESULT:
                self.pending[s].append(Result(body))
            else:
                assert kind == DONE, kind
                self.pending[s].append(DONE)
        return sorted(self.pending.pop(session)[:-1], key=lambda r: r.number)

    def letter(self, patience=PATIENCE, fail=0):
        """The next TLS report, which is answered so; None: the spool says nothing."""
        kind, session, body = self.spool.receive(patience)
        assert kind == LETTER, kind
        if fail is not None:
            self.spool.send(LETTER_TAKEN, session, u32(fail))
        return Letter(session, body)

    def deliver(self, rcpts, **what):
        return self.wait(self.attempt(rcpts, **what))

    def drain(self):
        self.master.send(DRAIN)
        assert self.master.receive(40)[0] == DRAINED
        assert self.process.wait(10) == 0

    def stop(self):
        self.master.sock.close()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
        return self.said()

    def said(self):
        self.log.seek(0)
        return self.log.read().decode()


class Session:
    """What a next hop has seen in one connection."""

    def __init__(self):
        self.lines, self.mails, self.tls, self.login, self.sni = [], [], None, None, None
        self.socket = None


class Hop(Listener):
    """A next hop. Replies come from the script: {"RCPT TO:<b@x>": "550 5.1.1 no", "MAIL": "DROP", ...}: the longest key that
    the command line begins with counts; a list is used up one by one; "DROP" closes, "STALL" says nothing, "DRIP 221 bye" says it
    with a fifth of a second between two octets."""

    def __init__(self, script=None, offers=("PIPELINING", "SIZE 50000000", "8BITMIME", "DSN", "ENHANCEDSTATUSCODES"),
                 implicit=None, starttls=None, users=None, address="127.0.0.1", port=0, slow=0):
        self.script, self.offers = dict(script or {}), list(offers)
        self.implicit, self.starttls, self.users, self.slow = implicit, starttls, users, slow
        self.sessions, self.most, self.now = [], 0, 0
        self.lock = threading.Lock()
        super().__init__(address, port)

    def begin(self, s):
        self.sessions.append(Session())
        super().begin(s, self.sessions[-1])

    @property
    def mails(self):
        return [m for s in self.sessions for m in s.mails]

    def scripted(self, line, normal):
        with self.lock:
            best = max((k for k in self.script if line.upper().startswith(k.upper())), key=len, default=None)
            said = self.script.get(best, normal) if best is not None else normal
            if isinstance(said, list):
                said = said.pop(0) if said else normal
        return said

    def serve(self, s, session):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            s.settimeout(60)
            session.socket = s
            if self.implicit:
                s = self.implicit.wrap_socket(s, server_side=True)
                session.tls = s.version()
            Talk(self, s, session).run()
        except (OSError, EOFError):
            pass
        finally:
            with self.lock:
                self.now -= 1
            s.close()


class Talk:
    def __init__(self, hop, s, session):
        self.hop, self.s, self.session = hop, s, session
        self.file = s.makefile("rb")
        self.sender, self.rcpts, self.chunks = None, [], b""

    def say(self, line, normal):
        said = self.hop.scripted(line, normal)
        if said == "DROP":
            self.s.shutdown(socket.SHUT_RDWR)
            raise EOFError
        if said == "STALL":
            time.sleep(60)
            raise EOFError
        if said.startswith("DRIP "):
            said = said[len("DRIP "):]
            for c in said.encode():
                self.s.sendall(bytes([c]))
                time.sleep(0.2)
        else:
            self.s.sendall(said.encode(errors="surrogateescape"))
        self.s.sendall(b"\r\n")
        if said.startswith("421"):
            raise EOFError
        return said

    def line(self):
        line = self.file.readline()
        if not line:
            raise EOFError
        assert line.endswith(b"\r\n"), line
        return line[:-2].decode()

    def run(self):
        if self.say("GREETING", "220 hop.example ESMTP")[0] != "2":
            return
        while True:
            line = self.line()
            self.session.lines.append(line)
            verb = line.split(" ")[0].split(":")[0].upper()
            if verb == "QUIT":
                self.say(line, "221 2.0.0 bye")
                return
            getattr(self, "on_" + verb.lower())(line)

    def on_ehlo(self, line):
        offers = list(self.hop.offers)
        tls = self.hop.implicit or self.session.tls
        if self.hop.starttls is not None and not tls:
            offers.append("STARTTLS")
        if self.hop.users and tls:
            offers.append("AUTH PLAIN LOGIN")
        said = ["hop.example"] + offers
        self.say(line, "\r\n".join("250%s%s" % ("-" if i < len(said) - 1 else " ", t) for i, t in enumerate(said)))

    def on_helo(self, line):
        self.say(line, "250 hop.example")

    def on_rset(self, line):
        self.sender, self.rcpts = None, []
        self.say(line, "250 2.0.0 ok")

    def on_starttls(self, line):
        if self.say(line, "220 2.0.0 go on")[0] != "2":
            return
        if self.hop.starttls == "broken":
            self.s.sendall(b"this is not TLS\r\n")
            time.sleep(0.2)
            raise EOFError
        self.s = self.hop.starttls.wrap_socket(self.s, server_side=True)
        self.session.tls = self.s.version()
        self.file = self.s.makefile("rb")

    def ask(self, challenge):
        self.s.sendall(b"334 " + challenge.encode() + b"\r\n")
        return base64.b64decode(self.line()).decode()

    def on_auth(self, line):
        words, normal = line.split(" "), self.hop.scripted(line, None)
        if normal is not None:
            self.say(line, normal)
            return
        if words[1] == "LOGIN":
            user, password = self.ask("VXNlcm5hbWU6"), self.ask("UGFzc3dvcmQ6")
        else:
            _, user, password = base64.b64decode(words[2]).decode().split("\0")
        if self.hop.users.get(user) != password:
            self.say(line, "535 5.7.8 no")
            return
        self.session.login = user
        self.say(line, "235 2.7.0 yes")

    def on_mail(self, line):
        self.sender, self.rcpts = line, []
        if self.say(line, "250 2.1.0 ok")[0] != "2":
            self.sender = None

    def on_rcpt(self, line):
        if self.sender is None:
            self.say("nothing", "503 5.5.1 MAIL first")
        elif self.say(line, "250 2.1.5 ok")[0] == "2":
            self.rcpts.append(line)

    def on_data(self, line):
        if not self.rcpts:
            self.say("nothing", "503 5.5.1 RCPT first")
            return
        if self.say(line, "354 go on")[0] != "3":
            return
        content, said = bytearray(), self.hop.scripted("EARLY", None)
        if said == "RESET":
            time.sleep(0.3)
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.file.close()
            raise EOFError
        if said is not None:
            self.s.sendall(said.encode() + b"\r\n")
            time.sleep(0.3)
            raise EOFError
        while True:
            got = self.file.readline()
            if not got:
                raise EOFError
            if got == b".\r\n":
                break
            content += got[1:] if got.startswith(b".") else got
        if self.hop.slow:
            time.sleep(self.hop.slow)
        # Before the reply: the test looks as soon as it has heard of it.
        self.session.mails.append((self.sender, self.rcpts, bytes(content)))
        taken = False
        try:
            taken = self.say("DOT", "250 2.0.0 taken")[0] == "2"
        finally:
            if not taken:
                self.session.mails.pop()
        self.sender, self.rcpts = None, []

    def on_bdat(self, line):
        words = line.split(" ")
        chunk = self.file.read(int(words[1]))
        if len(chunk) < int(words[1]):
            raise EOFError
        if not self.rcpts:
            self.say("nothing", "503 5.5.1 RCPT first")
            return
        self.chunks += chunk
        last = words[2:] == ["LAST"]
        if last:
            self.session.mails.append((self.sender, self.rcpts, self.chunks))
        if self.say("CHUNK", "250 2.0.0 taken")[0] != "2" and last:
            self.session.mails.pop()
        if last:
            self.sender, self.rcpts, self.chunks = None, [], b""


# ---- certificates ----

class Authority:
    """A CA of the test's own."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.ca = os.path.join(self.folder, "ca.pem")
        self.run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                 "/CN=test CA", "-keyout", "ca.key", "-out", "ca.pem")

    def run(self, *args):
        subprocess.run(["openssl"] + list(args), cwd=self.folder, check=True, capture_output=True)

    def context(self, names, file=None):
        name = file or names.replace(":", "_").replace(",", "_")
        self.run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=hop", "-keyout",
                 name + ".key", "-out", name + ".csr")
        with open(os.path.join(self.folder, "ext"), "w") as f:
            f.write("subjectAltName=%s\n" % names)
        self.run("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                 "-extfile", "ext", "-out", name + ".pem")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(self.folder, name + ".pem"), os.path.join(self.folder, name + ".key"))
        return context


# ---- DNS ----

A, CNAME, MX, AAAA = 1, 5, 15, 28


def wire(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".") if p) + b"\0"


class Dns:
    """records: {("example.net", MX): [(10, "mx1.example.net")], ("mx1.example.net", A): ["127.0.0.1"]}. A name with no record
    at all does not exist; a value of "SERVFAIL" or "SILENCE" does what it says."""

    def __init__(self, records, where=("127.0.0.1", 0)):
        self.records = {(n.lower(), t): v for (n, t), v in records.items()}
        self.asked = []
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(where)
        self.server = "%s@%d" % self.sock.getsockname()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)        # wakes up who waits in recvfrom()
        self.thread.join(5)
        self.sock.close()

    def run(self):
        while True:
            try:
                query, who = self.sock.recvfrom(4096)
            except OSError:
                return
            if not query:
                return
            answer = self.answer(query)
            if answer:
                self.sock.sendto(answer, who)

    def rdata(self, kind, value):
        if kind == MX:
            return struct.pack(">H", value[0]) + wire(value[1])
        if kind == CNAME:
            return wire(value)
        return socket.inet_pton(socket.AF_INET6 if kind == AAAA else socket.AF_INET, value)

    def answer(self, query):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        kind, = struct.unpack(">H", query[at + 1:at + 3])
        name, question = ".".join(labels), query[12:at + 5]
        self.asked.append((name, kind))
        found, records = [], self.records.get((name, kind))
        if records == "SILENCE":
            return None
        rcode = 2 if records == "SERVFAIL" else 0 if any(n == name for n, _ in self.records) else 3
        if records is None and (name, CNAME) in self.records:
            target = self.records[(name, CNAME)][0]
            found.append((name, CNAME, target))
            name, records = target, self.records.get((target, kind))
        for value in records if rcode == 0 and records else []:
            found.append((name, kind, value))
        body = b""
        for owner, k, value in found:
            data = self.rdata(k, value)
            body += wire(owner) + struct.pack(">HHIH", k, 1, 300, len(data)) + data
        return query[:2] + struct.pack(">HHHHH", 0x8180 | rcode, 1, len(found), 0, 0) + question + body


class Made:
    """What a test makes of relays, hops and servers, to be ended together; what a relay has said must be sane."""

    def __init__(self):
        self.made = []

    def keep(self, one):
        self.made.append(one)
        return one

    def hop(self, *args, **more):
        return self.keep(Hop(*args, **more))

    def close(self):
        for one in self.made:
            (one.stop if isinstance(one, Relay) else one.close)()
        for one in self.made:
            if isinstance(one, Relay):
                assert "Sanitizer" not in one.said() and "Assertion" not in one.said(), one.said()


class World(Made):
    """The same with relays whose configuration is a dictionary, mostly of one smart host."""

    def relay(self, conf, **more):
        return self.keep(Relay(conf, **more))

    def dns(self, records):
        return self.keep(Dns(records))

    def smart(self, hop, **conf):
        return self.relay({"relay": "smtp://127.0.0.1:%d" % hop.port, **conf})


def only(results):
    assert len(results) == 1, results
    return results[0]
