"""A small internet on loopback addresses: names in signed zones below a root of its own, served by NSD; mail exchangers that are Postfix; and
boxes in between that mean no good.

Nothing needs the system's own daemons or touches port 53 or 25. NSD is the one that tools/unpack has put into build/debian, Postfix a private
instance of Debian's.
"""
import ctypes
import datetime
import grp
import hashlib
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from listeners import Listener

ROOT = pathlib.Path(__file__).resolve().parents[2]
MASTER = "/usr/lib/postfix/sbin/master"
NSD = shutil.which("nsd") or str(ROOT / "build" / "debian" / "usr" / "sbin" / "nsd")
DAY = 86400


def missing():
    """What this machine lacks for it; "" is nothing."""
    if not os.path.exists(NSD) or not shutil.which("ldns-signzone"):
        return "needs nsd and ldnsutils: tools/need test"
    if not os.path.exists(MASTER):
        return "needs postfix: tools/need test"
    return "" if os.getuid() == 0 else "Postfix starts as root only"


def run(*words, cwd=None):
    return subprocess.run([str(w) for w in words], cwd=cwd, check=True, capture_output=True, text=True).stdout


def await_port(address, port, process, seconds=10):
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((address, port), 1).close()
            return
        except OSError:
            assert process.poll() is None and time.monotonic() < end, f"nothing answers on {address}:{port}"
            time.sleep(0.02)


def daemon(*words):
    """In the foreground, and ended with us, whatever ends us."""
    libc, death_signal = ctypes.CDLL(None), 1
    return subprocess.Popen([str(w) for w in words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                            preexec_fn=lambda: libc.prctl(death_signal, signal.SIGTERM))


def port_for_both():
    """A port above 10000 of the loopback address that neither UDP nor TCP uses."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            port = udp.getsockname()[1]
            try:
                tcp.bind(("127.0.0.1", port))
            except OSError:
                continue
            if port > 10000:
                return port


# ---- names ----

class Zone:
    """name is "" for the root. ds: the parent vouches for it; signed False with ds: whoever looks finds it bogus. loaded False: SERVFAIL.

    late, gone, changed: sets of (owner, type), and {(owner, type): rdata}, of what an attacker has done to the signed zone: a signature
    whose time is over, records left out without a proof, other data under the old signature."""

    def __init__(self, name, signed=True, ds=True, expired=False, nsec3=False, loaded=True):
        self.name, self.signed, self.ds, self.expired, self.nsec3, self.loaded = name, signed, ds, expired, nsec3, loaded
        self.lines, self.children = [], []
        self.late, self.gone, self.changed = set(), set(), {}

    def text(self, folder):
        lines = ["$TTL 300", f"{self.name}. SOA ns.example. postmaster.example. 1 3600 600 86400 5", f"{self.name}. NS ns.example."] + self.lines
        for child in self.children:
            lines.append(f"{child.name}. NS ns.example.")
            if child.ds:
                lines.append((folder / (child.key + ".ds")).read_text().strip())
        return "\n".join(lines) + "\n"

    def make_key(self, folder):
        self.key = run("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", self.name + ".", cwd=folder).strip()

    def sign(self, folder, begin, end):
        out = f"{self.file}.{int(end)}"
        more = ["-n", "-s", "beef", "-t", "0"] if self.nsec3 else []
        run("ldns-signzone", *more, "-i", int(begin), "-e", int(end), "-o", self.name + ".", "-f", out, self.file, self.key, cwd=folder)
        return (folder / out).read_text().splitlines()

    def spoiled(self, lines, late):
        """late: the same zone with signatures whose time is over."""
        out = [line for line in late if self.what(line) in self.late and line.split("\t")[3] == "RRSIG"]
        for line in lines:
            what, fields = self.what(line), line.split("\t")
            if what in self.gone or (what in self.late and fields[3] == "RRSIG"):
                continue
            if what in self.changed and fields[3] != "RRSIG":
                line = "\t".join(fields[:4] + [self.changed[what]])
            out.append(line)
        return out

    @staticmethod
    def what(line):
        """(owner, type) of a record, or of what an RRSIG is about."""
        fields = line.split("\t")
        if len(fields) < 5:
            return None
        return fields[0].rstrip(".").lower(), fields[4].split(" ")[0] if fields[3] == "RRSIG" else fields[3]

    def write(self, folder):
        """After those of its children."""
        self.file, now = f"zone.{self.name or 'root'}", time.time()
        if self.signed or self.ds:
            self.make_key(folder)
        if not self.loaded:
            return
        (folder / self.file).write_text(self.text(folder))
        if not self.signed:
            return
        begin, end = (now - 90 * DAY, now - 30 * DAY) if self.expired else (now - DAY, now + 30 * DAY)
        lines = self.sign(folder, begin, end)
        late = self.sign(folder, now - 90 * DAY, now - 30 * DAY) if self.late else []
        (folder / self.file).write_text("\n".join(self.spoiled(lines, late)) + "\n")


class Names:
    """Zones from the root down, and the server that has them all: Postern's resolver forwards to it, and believes nothing it says unsigned."""

    def __init__(self, folder):
        self.folder, self.zones, self.process = folder, {}, None
        self.zone("")
        self.zone("example")
        self.add("ns.example", "A 127.0.0.1")

    def zone(self, name, **how):
        self.zones[name] = Zone(name, **how)
        if name:
            parent = name.partition(".")[2]
            while parent not in self.zones:
                parent = parent.partition(".")[2]
            self.zones[parent].children.append(self.zones[name])
        return self.zones[name]

    def zone_of(self, owner):
        while owner not in self.zones:
            owner = owner.partition(".")[2]
        return self.zones[owner]

    def add(self, owner, record):
        self.zone_of(owner).lines.append(f"{owner}. {record}")

    def start(self):
        self.folder.mkdir()
        for name in sorted(self.zones, key=lambda n: -len(n)):
            self.zones[name].write(self.folder)
        port = port_for_both()
        conf = f"""server:
  ip-address: 127.0.0.1@{port}
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "{self.folder}"
  database: ""
  pidfile: "{self.folder}/pid"
  zonelistfile: "{self.folder}/zonelist"
  xfrdfile: "{self.folder}/xfrd"
  xfrdir: "{self.folder}"
  logfile: "{self.folder}/log"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
""" + "".join(f'zone:\n  name: "{z.name}."\n  zonefile: "{z.file}"\n' for z in self.zones.values())
        (self.folder / "nsd.conf").write_text(conf)
        self.process = daemon(NSD, "-d", "-c", self.folder / "nsd.conf")
        self.server = f"127.0.0.1@{port}"
        await_port("127.0.0.1", port, self.process)

    def anchor(self):
        """A file for dns-trust-anchor."""
        return str(self.folder / (self.zones[""].key + ".key"))

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)


# ---- certificates ----

class Certificates:
    """A CA, and what it has signed: PEM files of key, leaf and CA."""

    def __init__(self, folder):
        self.folder, self.of = folder, {}
        folder.mkdir()
        self.ca_key = ec.generate_private_key(ec.SECP256R1())
        self.ca = self.sign("network CA", self.ca_key.public_key(), [], 0, True)
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(self.ca.public_bytes(serialization.Encoding.PEM))

    def sign(self, name, public, names, expired, ca=False, key=None):
        now = datetime.datetime.utcnow() - datetime.timedelta(days=expired)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = subject if ca or key is not None else self.ca.subject
        one = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public).serial_number(
            x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=2)).not_valid_after(
            now + datetime.timedelta(days=2)).add_extension(x509.BasicConstraints(ca=ca, path_length=None), True)
        if names:
            one = one.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), False)
        return one.sign(key or self.ca_key, hashes.SHA256())

    def issue(self, name, names, expired=0, own=False):
        """own: signed by nobody else."""
        key = ec.generate_private_key(ec.SECP256R1())
        one = self.sign(name, key.public_key(), names, expired, key=key if own else None)
        path = self.folder / (name + ".pem")
        path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()) +
                         one.public_bytes(serialization.Encoding.PEM) + (b"" if own else self.ca_file.read_bytes()))
        self.of[name] = one
        return path

    def tlsa(self, usage, selector, matching, name, spoilt=False):
        """The RDATA that fits the certificate of this name ("ca": the CA's), or does not."""
        one = self.ca if name == "ca" else self.of[name]
        octets = one.public_bytes(serialization.Encoding.DER) if selector == 0 else one.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        data = {0: lambda: octets, 1: lambda: hashlib.sha256(octets).digest(), 2: lambda: hashlib.sha512(octets).digest()}[matching]()
        if spoilt:
            data = data[:-1] + bytes([data[-1] ^ 1])
        return f"{usage} {selector} {matching} {data.hex()}"


# ---- mail exchangers ----

class Postfix:
    """A private instance. listeners: {address: [-o options of its smtpd]}; all that it takes goes to the sink, with what it says of TLS in
    Received."""

    def __init__(self, port, sink, listeners):
        # Its processes are users of their own, who must get there.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-postfix-"))
        self.folder.chmod(0o755)
        self.port, self.process = port, None
        self.make_folders()
        self.write_main(sink)
        services = ["cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr", "pickup unix n - n 60 1 pickup",
                    "tlsmgr unix - - n 1000? 1 tlsmgr", "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce",
                    "defer unix - - n - 0 bounce", "trace unix - - n - 0 bounce", "flush unix n - n 1000? 0 flush",
                    "proxymap unix - - n - - proxymap", "smtp unix - - n - - smtp", "error unix - - n - - error",
                    "retry unix - - n - - error", "anvil unix - - n - 1 anvil", "scache unix - - n - 1 scache",
                    "postlog unix-dgram n - n - 1 postlogd"]
        doors = [f"{address}:{port} inet n - n - - smtpd" + "".join(f"\n  -o {o}" for o in options) for address, options in listeners.items()]
        (self.folder / "etc" / "master.cf").write_text("\n".join(doors + services) + "\n")
        self.addresses = list(listeners)

    def make_folders(self):
        """As `postfix start` would; but that leaves a shell between us and the master, and it is the shell that would be ended."""
        user, drop = pwd.getpwnam("postfix").pw_uid, grp.getgrnam("postdrop").gr_gid
        for name in ("etc", "spool", "spool/pid"):
            (self.folder / name).mkdir()
        private = ["data"] + ["spool/" + q for q in ("active bounce corrupt defer deferred flush hold incoming private saved trace").split()]
        for name, group, mode in [(n, -1, 0o700) for n in private] + [("spool/public", drop, 0o710), ("spool/maildrop", drop, 0o730)]:
            (self.folder / name).mkdir()
            os.chown(self.folder / name, user, group)
            (self.folder / name).chmod(mode)

    def write_main(self, sink):
        (self.folder / "etc" / "main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {self.folder}/spool
data_directory = {self.folder}/data
maillog_file = {self.folder}/log
maillog_file_prefixes = {self.folder}
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.postfix.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
local_recipient_maps =
relayhost = [127.0.0.1]:{sink}
smtp_tls_security_level = none
smtp_host_lookup = native
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_tls_security_level = may
smtpd_tls_received_header = yes
smtpd_tls_loglevel = 1
smtpd_client_connection_count_limit = 0
in_flow_delay = 0s
""")

    def start(self):
        self.process = daemon(MASTER, "-c", self.folder / "etc", "-s")

    def ready(self):
        for address in self.addresses:
            await_port(address, self.port, self.process, 20)

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)


# ---- in between ----

class Box(Listener):
    """A middle box in front of a mail exchanger. "strip": STARTTLS is not among what EHLO's answer offers; "refuse": whoever asks for it hears
    454; "deny": its greeting is a refusal for good; "inject": behind the 220 that lets TLS begin stand a few octets more, for the client to take for what is said behind TLS. What the
    client has said in clear it writes down."""

    def __init__(self, how, address, port, to):
        self.how, self.to, self.lines = how, to, []
        super().__init__(address, port)

    def begin(self, s):
        s.settimeout(60)
        upstream = socket.create_connection(self.to, 60)
        for work in (self.forward, self.back):
            super().begin(work, s, upstream)

    @staticmethod
    def serve(work, s, upstream):
        try:
            work(s, upstream)
        except OSError:
            pass
        for one in (s, upstream):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    @staticmethod
    def pass_on(a, b):
        """TLS: nothing to read for anybody in between."""
        while octets := a.recv(65536):
            b.sendall(octets)

    def forward(self, s, upstream):
        for line in iter(s.makefile("rb", buffering=0).readline, b""):
            self.lines.append(line.decode(errors="replace").rstrip("\r\n"))
            if self.how == "refuse" and line.strip().upper() == b"STARTTLS":
                s.sendall(b"454 4.7.0 TLS not available due to local policy\r\n")
                continue
            upstream.sendall(line)
            if line.strip().upper() == b"STARTTLS":
                self.pass_on(s, upstream)

    def back(self, s, upstream):
        reply, before = [], 0
        for line in iter(upstream.makefile("rb", buffering=0).readline, b""):
            reply.append(line)
            if line[3:4] == b"-":
                continue
            if self.how == "strip":
                reply = [r for r in reply if r[4:].strip().upper() != b"STARTTLS"]
            said = b"".join(r[:3] + (b" " if i == len(reply) - 1 else b"-") + r[4:] for i, r in enumerate(reply))
            # The greeting and EHLO's answer come first.
            before += 1
            if self.how == "deny":
                s.sendall(b"554 5.7.1 nobody from there\r\n")
                return
            if self.how == "inject" and before == 3:
                s.sendall(said + b"250-box.example\r\n250-PIPELINING\r\n250 REQUIRETLS\r\n")
                self.pass_on(upstream, s)
                return
            s.sendall(said)
            reply = []
