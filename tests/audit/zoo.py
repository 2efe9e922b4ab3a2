"""A zoo of submission servers, each wrong in one way; loopback only, bounded, ends with its `with` block."""
import base64
import dataclasses
import os
import pathlib
import socket
import ssl
import struct
import subprocess
import threading
import time

HOST = "localhost"
IDLE = 15   # seconds after which a forgotten connection ends


class Papers:
    """A CA and the certificates that it issues, made once."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.ca = self.folder / "ca.pem"
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "365", "-subj", "/CN=Zoo CA",
                     "-addext", "basicConstraints=critical,CA:TRUE", "-keyout", "ca-key.pem", "-out", "ca.pem")

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def issue(self, stem, names=f"DNS:{HOST},IP:127.0.0.1", key=("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), digest="sha256", dates=None,
              extra=(), issuer=True, common_name=HOST):
        """(chain, key) of a certificate; names None: no subjectAltName. dates: YYMMDD000000Z from and until."""
        chain, private = self.folder / f"{stem}.pem", self.folder / f"{stem}-key.pem"
        if chain.exists():
            return chain, private
        lines = ["[v3]", "basicConstraints=CA:FALSE", *([f"subjectAltName={names}"] if names else []), *extra]
        (self.folder / f"{stem}.cnf").write_text("\n".join(lines) + "\n")
        self.openssl("req", "-newkey", *key, "-nodes", "-subj", f"/CN={common_name}", "-keyout", private.name, "-out", f"{stem}.csr")
        if dates:
            self.sign_dated(stem, dates)
        elif issuer:
            self.openssl("x509", "-req", "-in", f"{stem}.csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-days", "90",
                         f"-{digest}", "-extfile", f"{stem}.cnf", "-extensions", "v3", "-out", chain.name)
        else:
            self.openssl("x509", "-req", "-in", f"{stem}.csr", "-signkey", private.name, "-days", "90", "-extfile", f"{stem}.cnf",
                         "-extensions", "v3", "-out", chain.name)
        return chain, private

    def sign_dated(self, stem, dates, digest="sha256"):
        (self.folder / "index.txt").write_text("")
        (self.folder / "serial").write_text(f"{int.from_bytes(os.urandom(4), 'big'):08X}\n")
        (self.folder / "ca.cnf").write_text("[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n"
                                            "policy=p\nunique_subject=no\n[p]\ncommonName=supplied\n")
        self.openssl("ca", "-batch", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca-key.pem", "-in", f"{stem}.csr", "-md", digest,
                     "-startdate", dates[0], "-enddate", dates[1], "-extfile", f"{stem}.cnf", "-extensions", "v3", "-notext", "-out", f"{stem}.pem")


@dataclasses.dataclass
class Habits:
    """How an animal behaves. The defaults are a good citizen's."""

    implicit: bool = True
    chain: pathlib.Path = None
    key: pathlib.Path = None
    least: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    most: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    suites: str = "ECDHE+AESGCM:ECDHE+CHACHA20"
    server_order: bool = True
    chacha_counts: bool = False         # ChaCha20 is taken where the client puts it first, as HAProxy does
    asks_certificate: bool = False
    renegotiates: bool = False
    place: tuple = ("127.0.0.1", 0)     # address and port
    helo_trusts: bool = False           # after HELO everything goes on in clear
    mail_in_clear: str = ""             # what MAIL brings before TLS, if not mail_reply
    nameless: tuple = ()                # (chain, key) for who names no host
    refuses_nameless: bool = False      # an alert for who names no host
    refuses_unknown: bool = False       # ... or another one
    curve: str = ""                     # the only one
    prime: int = 0                      # bits for Diffie-Hellman
    weak_groups: bool = False           # takes curves of less than 224 bits
    marks: bool = True                  # a crafted ServerHello says that TLS 1.3 could have been had
    line_end: str = "\r\n"
    drip: float = 0                     # seconds between two octets of what is said
    greeting: str = f"220 {HOST} ESMTP zoo"
    ehlo: tuple = (HOST, "PIPELINING", "SIZE 1000000")
    auth: str = "AUTH PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS"
    auth_in_clear: str = ""             # offered in clear
    taken_in_clear: tuple = ()          # mechanisms that go on in clear
    starttls: bool = True
    starttls_reply: str = "220 2.0.0 go ahead"
    starttls_every: int = 1             # offered on every so many-th connection only
    starttls_under_tls: bool = False
    keeps_buffer: bool = False          # the hole of CVE-2011-0411
    mail_reply: str = "530 5.7.0 authentication required"
    rcpt_reply: str = "530 5.7.0 authentication required"
    vrfy_reply: str = "252 2.0.0 perhaps"
    expn_reply: str = "502 5.5.1 not offered"
    goodbye: bool = True                # close_notify
    says_in_clear: bytes = b""          # instead of everything: said at once
    answers_in_clear: bytes = b""       # said to whatever comes, instead of TLS
    silent: bool = False
    secrets: tuple = ()                 # logins that are let in, whatever their password
    ending: bytes = None                # what ends content beside CRLF . CRLF
    tired_after: int = 0                # connections until it has had enough; 0: it never has
    enough: str = ""                    # what it greets with then; "": it closes without a word
    deaf: bool = False                  # it does not even listen any more then
    patience: tuple = (IDLE, IDLE)      # seconds that it waits for a client: without a login, and with one
    farewell: str = ""                  # what it says when it waits no longer
    fakes: tuple = ()                   # (version, suite, compression): a crafted ServerHello where the client offers exactly that version


class Cut(Exception):
    """The other side went away."""


class Talk:
    """One connection."""

    def __init__(self, habits, context, sock, number, responses):
        self.habits, self.context, self.sock, self.number, self.responses = habits, context, sock, number, responses
        self.tls, self.left, self.inside = False, b"", False

    helo = False

    def wait(self):
        """A server's patience is for a whole command, however its octets drip."""
        self.sock.settimeout(max(self.until - time.monotonic(), 0.001))

    def line(self):
        self.until = time.monotonic() + self.habits.patience[self.inside]
        while b"\n" not in self.left:
            try:
                self.wait()
                more = self.sock.recv(4096)
            except TimeoutError:
                self.say(*[line for line in (self.habits.farewell,) if line])
                raise
            if not more:
                raise Cut
            self.left += more
        self.sock.settimeout(IDLE)
        line, self.left = self.left.split(b"\n", 1)
        return line.strip().decode("latin-1")

    def say(self, *lines):
        said = "".join(f"{line}{self.habits.line_end}" for line in lines).encode("latin-1")
        if not self.habits.drip:
            self.sock.sendall(said)
            return
        for octet in said:
            self.sock.sendall(bytes([octet]))
            time.sleep(self.habits.drip)

    def secure(self):
        if not self.habits.keeps_buffer:
            self.left = b""
        self.sock = self.context.wrap_socket(self.sock, server_side=True)
        self.tls = True

    def keywords(self):
        h = self.habits
        offered = [k for k in (h.auth if self.tls else h.auth_in_clear,) if k]
        if (not self.tls and h.starttls and not h.implicit and self.number % h.starttls_every == 0) or (self.tls and h.starttls_under_tls):
            offered.append("STARTTLS")
        return [*h.ehlo, *offered]

    def ehlo(self):
        words = self.keywords()
        self.say(*[f"250-{w}" for w in words[:-1]], f"250 {words[-1]}")

    def let_in(self, mechanism, response):
        if mechanism not in self.habits.auth.split():
            self.say("504 5.5.4 not offered")
            return
        self.responses.append(response)
        self.inside = base64.b64decode(response).split(b"\0")[1].decode() in self.habits.secrets
        self.say("235 2.7.0 welcome" if self.inside else "535 5.7.8 no")

    def ask(self):
        """LOGIN: name and password one after the other."""
        said = b""
        for question in (b"User Name\0", b"Password\0"):       # as Exchange says them
            self.say(f"334 {base64.b64encode(question).decode()}")
            said += b"\0" + base64.b64decode(self.line())
        self.let_in("LOGIN", base64.b64encode(said))

    def content(self):
        """Up to what ends it here; the rest is thrown away."""
        self.say("354 go on")
        endings = [e for e in (b"\r\n.\r\n", self.habits.ending) if e]
        while not any(e in self.left for e in endings):
            more = self.sock.recv(4096)
            if not more:
                raise Cut
            self.left += more
        self.left = b""
        self.say("250 2.0.0 taken")

    def authenticate(self, mechanism):
        if self.tls or not (mechanism in self.habits.taken_in_clear or (self.helo and self.habits.helo_trusts)):
            self.say("504 5.5.4 no" if self.tls else "538 5.7.11 encryption needed")
            return
        self.say("334 ")
        self.line()
        self.say("501 5.7.0 cancelled")

    def command(self, line):
        """False at the end."""
        h, verb = self.habits, line.upper().split(" ")[0]
        mail = "250 2.1.0 ok" if self.helo and h.helo_trusts else (not self.tls and h.mail_in_clear) or h.mail_reply
        replies = {"MAIL": mail, "RCPT": h.rcpt_reply, "VRFY": h.vrfy_reply, "EXPN": h.expn_reply, "RSET": "250 2.0.0 ok",
                   "NOOP": "250 2.0.0 ok"}
        if verb == "EHLO":
            self.ehlo()
        elif verb == "HELO":
            self.helo = True
            self.say(f"250 {HOST}")
        elif verb == "STARTTLS":
            self.say(h.starttls_reply)
            if h.starttls_reply.startswith("220"):
                self.secure()
        elif verb == "AUTH" and self.tls and h.secrets and line.count(" ") == 2:
            self.let_in(*line.split(" ")[1:])
        elif line.upper() == "AUTH LOGIN" and self.tls and h.secrets and "LOGIN" in h.auth.split():
            self.ask()
        elif self.inside and verb in ("MAIL", "RCPT"):
            self.say("250 2.1.0 ok")
        elif self.inside and verb == "DATA":
            self.content()
        elif verb == "AUTH":
            self.authenticate(line.upper().split(" ")[1])
        elif verb == "QUIT":
            self.say("221 2.0.0 bye")
            return False
        else:
            self.say(replies.get(verb, "500 5.5.1 unknown"))
        return True

    def run(self):
        h = self.habits
        if h.says_in_clear or h.silent:
            self.sock.sendall(h.says_in_clear)
            while self.sock.recv(4096):
                pass
            return
        if h.answers_in_clear:
            self.sock.recv(4096)
            self.sock.sendall(h.answers_in_clear)
            return
        tired = h.tired_after and self.number >= h.tired_after
        if tired and not h.enough:
            return
        if h.implicit:
            self.sock.settimeout(h.patience[0])
            if self.fake():
                return
            self.secure()
        if tired:
            self.say(h.enough)
            return
        self.say(h.greeting)
        while self.command(self.line()):
            pass
        if self.tls and h.goodbye:
            self.sock.unwrap()

    def fake(self):
        """Where the client offers a version that a crafted answer exists for, that is given."""
        hello = self.sock.recv(4096, socket.MSG_PEEK)
        if len(hello) < 50 or hello[0] != 22:
            return False
        version = struct.unpack(">H", hello[9:11])[0]
        size = struct.unpack(">H", hello[44 + hello[43]:46 + hello[43]])[0]
        offered = struct.unpack(f">{size // 2}H", hello[46 + hello[43]:46 + hello[43] + size])
        groups = groups_of(hello[46 + hello[43] + size:])
        if groups and 23 not in groups:
            if self.habits.weak_groups and b"\x00\x2b" not in hello:
                self.sock.sendall(server_hello(0x303, 0xc02f, 0))
            return self.habits.weak_groups and b"\x00\x2b" not in hello
        for fake_version, suite, compression in self.habits.fakes:
            if version == fake_version and suite in offered and b"\x00\x2b" not in hello:
                self.sock.sendall(server_hello(version, suite, compression, self.habits.marks))
                return True
        return False


def groups_of(rest):
    """The groups of a ClientHello from its compression methods on."""
    at = 1 + rest[0] + 2
    while at + 4 <= len(rest):
        kind, size = struct.unpack(">HH", rest[at:at + 4])
        if kind == 10:
            return struct.unpack(f">{size // 2 - 1}H", rest[at + 6:at + 4 + size])
        at += 4 + size
    return ()


def server_hello(version, suite, compression, marks=True):
    mark = b"DOWNGRD" + bytes([version == 0x303]) if marks else bytes(8)
    body = struct.pack(">H", version) + bytes(24) + mark + b"\0" + struct.pack(">HB", suite, compression)
    if version > 0x300:
        body += struct.pack(">H", 9) + struct.pack(">HHB", 0xff01, 1, 0) + struct.pack(">HH", 23, 0)
    message = b"\2\0" + struct.pack(">H", len(body)) + body
    return b"\x16" + struct.pack(">HH", version, len(message)) + message


class Animal:
    """A server with these habits, on a port of its own."""

    def __init__(self, habits):
        self.habits, self.count, self.ended, self.responses, self.times = habits, 0, False, [], []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if habits.chain:
            self.context.set_ciphers(f"{habits.suites}:@SECLEVEL=0")
            self.context.minimum_version, self.context.maximum_version = habits.least, habits.most
            self.context.load_cert_chain(habits.chain, habits.key)
        if habits.server_order:
            self.context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
        else:
            self.context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
        if habits.chacha_counts:
            self.context.options |= 0x200000    # SSL_OP_PRIORITIZE_CHACHA
        if habits.renegotiates:
            self.context.options &= ~ssl.OP_NO_RENEGOTIATION
            self.context.options |= 0x100   # OpenSSL 3: a client may ask for it
        else:
            self.context.options |= ssl.OP_NO_RENEGOTIATION
        if habits.asks_certificate:
            self.context.verify_mode = ssl.CERT_OPTIONAL
            self.context.load_verify_locations(habits.chain.parent / "ca.pem")
        if habits.curve:
            self.context.set_ecdh_curve(habits.curve)
        if habits.prime:
            prime = habits.chain.parent / f"prime{habits.prime}.pem"
            subprocess.run(["openssl", "dhparam", "-dsaparam", "-out", prime, str(habits.prime)], check=True, capture_output=True)
            self.context.load_dh_params(prime)
        self.other = None
        if habits.nameless:
            self.other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.other.load_cert_chain(*habits.nameless)
        self.context.sni_callback = self.on_name
        self.listener = socket.create_server(habits.place)
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.ended = True
        # close() alone would leave the one that waits in accept() with a listener.
        if self.listener.fileno() != -1:
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def on_name(self, connection, name, _):
        if (self.habits.refuses_nameless and name is None) or (self.habits.refuses_unknown and name not in (None, HOST)):
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        if name is None and self.other:
            connection.context = self.other
        return None

    @property
    def target(self):
        return f"{HOST}:{self.port}/{'submissions' if self.habits.implicit else 'submission'}"

    def serve(self):
        while not self.ended:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.times.append(time.monotonic())
            if self.habits.deaf and self.count >= self.habits.tired_after:
                self.listener.close()
                sock.close()
                return
            sock.settimeout(IDLE)
            threading.Thread(target=self.attend, args=(sock, self.count), daemon=True).start()
            self.count += 1

    def attend(self, sock, number):
        talk = Talk(self.habits, self.context, sock, number, self.responses)
        try:
            talk.run()
        except (OSError, Cut, ValueError):
            pass
        try:
            # Without unwrap() the end is a bare FIN: what a server without close_notify looks like.
            talk.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        talk.sock.close()
