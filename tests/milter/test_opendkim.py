"""OpenDKIM from Debian signs what Postern's users send, and an independent verifier agrees; so does a milter over libmilter."""
import re
import shutil
import smtplib
import subprocess

import pytest

from postern_server import eventually
from test_milter import FROM, fields, served, submit        # noqa: F401

dkim = pytest.importorskip("dkim", reason="needs python3-dkim")


@pytest.fixture(params=["inet", "unix"])
def opendkim(tmp_path, request):
    """(place, DNS record) of a running opendkim that signs for mail.example.org."""
    if not all(shutil.which(p, path="/usr/sbin:/usr/bin") for p in ("opendkim", "opendkim-genkey")):
        pytest.skip("needs opendkim and opendkim-tools")
    subprocess.run(["opendkim-genkey", "-b", "2048", "-d", "mail.example.org", "-s", "sel", "-D", str(tmp_path)], check=True)
    from postern_server import free_port
    port = free_port()
    place, there = (f"inet:127.0.0.1:{port}", f"inet:{port}@127.0.0.1") if request.param == "inet" else \
        (f"unix:{tmp_path}/sock", f"local:{tmp_path}/sock")
    # Not a host of its own: only what we say of the login makes it sign.
    (tmp_path / "hosts").write_text("192.0.2.1\n")
    (tmp_path / "conf").write_text(f"""Socket {there}
Domain mail.example.org
Selector sel
KeyFile {tmp_path}/sel.private
Mode s
Canonicalization simple/simple
InternalHosts {tmp_path}/hosts
OversignHeaders From
RequireSafeKeys no
Syslog no
Background no
""")
    process = subprocess.Popen([shutil.which("opendkim", path="/usr/sbin:/usr/bin"), "-f", "-x", str(tmp_path / "conf")])
    record = (tmp_path / "sel.txt").read_text()
    yield place, "".join(re.findall(r'"([^"]*)"', record)).encode(), process
    process.kill()
    process.wait()


def verified(mail, record):
    """As the next hop gets it: what the Maildir adds is not part of it."""
    head = b"Return-Path: ", b"Delivered-To: "
    lines = mail.split(b"\n")
    while lines[0].startswith(head):
        lines.pop(0)
    return dkim.verify(b"\r\n".join(lines), dnsfunc=lambda name, timeout=5: record if name == b"sel._domainkey.mail.example.org." else None)


def test_opendkim_signs(served, opendkim):
    place, record, process = opendkim
    one = served(place)

    def signed():
        assert process.poll() is None
        return submit(one, "first\r\n").startswith("250") or None

    eventually(signed, "opendkim")
    assert submit(one, "second  line \r\n\r\n.dot\r\n", subject="folded\r\n  subject", headers="X-Odd:no space\r\nTo: b@example.net\r\n").startswith("250")
    assert submit(one, "0123456789abcde\r\n" * 30000).startswith("250")
    for mail in one.await_mails(3):
        assert "DKIM-Signature" in fields(mail)[0]
        assert verified(mail, record)
        # A verifier that says yes to everything would prove nothing.
        assert not verified(mail.replace(b"From: a@", b"From: c@"), record)
        assert not verified(mail + b"more\n", record)


@pytest.fixture
def libmilter(tmp_path):
    """start(program) -> where it listens."""
    pytest.importorskip("Milter", reason="needs python3-milter")
    running = []

    def start(program):
        (tmp_path / "one.py").write_text(program)
        place = f"unix:{tmp_path}/sock"
        running.append(subprocess.Popen(["/usr/bin/python3", str(tmp_path / "one.py"), place]))
        eventually((tmp_path / "sock").exists, "the milter")
        return place

    yield start
    for process in running:
        process.kill()
        process.wait()


LIBMILTER = '''
import sys
import Milter

class One(Milter.Base):
    def connect(self, name, family, address):
        return Milter.CONTINUE
    def envfrom(self, sender, *words):
        return Milter.CONTINUE
    def envrcpt(self, to, *words):
        if to == "<refused@example.net>":
            self.setreply("550", "5.1.1", "not 100%% here")
            return Milter.REJECT
        return Milter.CONTINUE
    def header(self, name, value):
        return Milter.CONTINUE
    def body(self, chunk):
        return Milter.CONTINUE
    def eom(self):
        self.addheader("X-Login", self.getsymval("{auth_authen}") or "?")
        self.chgheader("Subject", 1, "changed")
        self.addheader("X-First", "1", 0)
        self.addrcpt("<added@example.net>")
        self.replacebody("new body\\r\\n")
        self.progress()
        return Milter.CONTINUE

Milter.factory = One
Milter.set_flags(Milter.ADDHDRS | Milter.CHGHDRS | Milter.CHGBODY | Milter.ADDRCPT)
Milter.runmilter("one", sys.argv[1], 60)
'''


def test_a_milter_over_libmilter(served, libmilter):
    one = served(libmilter(LIBMILTER))
    eventually(lambda: submit(one, "old\r\n").startswith("250"), "libmilter")
    # After a refusal in the middle the connection is good for the next message.
    assert submit(one, to=["refused@example.net"]) == "550 5.1.1 not 100% here"
    assert submit(one, to=["b@example.net", "refused@example.net"]).startswith("550 5.1.1 not")
    assert submit(one, "old\r\n").startswith("250")
    for mail in one.await_mails(2):
        names, values = fields(mail)
        assert values["X-Login"] == f"{one.login}/first" and values["Subject"] == "changed"
        assert names.index("X-First") < names.index("Received") and mail.endswith(b"\n\nnew body\n")
        assert b"Delivered-To: added@example.net\n" in mail
    assert not [e for e in one.events("milter-failed") if "connect" not in e["why"]]


# What the one above leaves out: it does not hear HELO nor answer connections and fields, wants to know only one macro at MAIL and the
# space behind the colon, has seen enough of a long body soon, changes the sender, takes recipients away, and holds.
LIBMILTER_MORE = '''
import sys
import Milter

@Milter.header_leading_space
class Two(Milter.Base):
    def negotiate(self, options):
        # What Base.setsymlist() makes of it the library's binding does not take.
        self._ctx.setsymlist(Milter.M_ENVFROM, "{auth_type}")
        return Milter.Base.negotiate(self, options)
    @Milter.noreply
    def connect(self, name, family, address):
        self.pieces, self.fields = 0, []
        return Milter.CONTINUE
    @Milter.nocallback
    def hello(self, name):
        return Milter.CONTINUE
    def envfrom(self, sender, *words):
        self.login = self.getsymval("{auth_authen}")
        self.kind = self.getsymval("{auth_type}")
        self.held, self.pieces, self.fields = sender.startswith("<held@"), 0, []
        return Milter.CONTINUE
    def envrcpt(self, to, *words):
        return Milter.DISCARD if to == "<discarded@example.net>" else Milter.CONTINUE
    @Milter.noreply
    def header(self, name, value):
        self.fields.append(name + ":" + value)
        return Milter.CONTINUE
    def body(self, chunk):
        self.pieces += 1
        return Milter.SKIP
    def eom(self):
        self.addheader("X-Facts", " ".join([str(self.pieces), str(self.login), str(self.kind)]))
        self.addheader("X-Subject", " ".join(repr(f) for f in self.fields if f.startswith("Subject")))
        self.chgfrom("<other@mail.example.org>")
        self.delrcpt("<gone@example.net>")
        if self.held:
            self.quarantine("looks odd")
        return Milter.CONTINUE

Milter.factory = Two
Milter.set_flags(Milter.ADDHDRS | Milter.CHGFROM | Milter.DELRCPT | Milter.QUARANTINE)
Milter.runmilter("two", sys.argv[1], 60)
'''


def test_more_of_libmilter(served, libmilter):
    one = served(libmilter(LIBMILTER_MORE))
    long = "0123456789abcde\r\n" * 20000
    eventually(lambda: submit(one, long, to=["b@example.net", "gone@example.net"]).startswith("250"), "libmilter")
    assert submit(one, "x", to=["discarded@example.net"]).startswith("250")
    [mail] = one.await_mails(1)
    names, values = fields(mail)
    assert values["X-Facts"] == "1 None PLAIN"
    assert values["X-Subject"] == "'Subject: s'" and values["Return-Path"] == "<other@mail.example.org>"
    assert b"Delivered-To: b@example.net\n" in mail and b"gone@" not in mail and mail.count(b"0123456789abcde") == 20000
    with smtplib.SMTP_SSL(one.host, one.submissions, timeout=60, context=one.context()) as smtp:
        smtp.login(one.login, one.key)
        assert smtp.sendmail("held@mail.example.org", ["b@example.net"], "From: held@mail.example.org\r\n\r\nx\r\n") == {}
    assert "looks odd" in one.await_event("milter-quarantined")["why"]
    assert not [e for e in one.events("milter-failed") if "connect" not in e["why"]]
    assert len(one.mails()) == 1
