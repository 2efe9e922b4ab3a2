"""Submission servers of Debian, each in a root of its own below build/: nothing of the system is touched, and packages that conflict live side by side.

On the submissions port each is what one gets by following its manual and no more; on the submission port with the lines that the report gives.
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import time

from postern_server import ROOT, eventually, free_port

HOST = "mail.example.org"
LIBRARIES = ("/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/usr/lib/postfix")
START = 15  # seconds


class Missing(Exception):
    """It can't be had here; the words say why."""


def run(*command, **more):
    return subprocess.run([str(c) for c in command], check=False, capture_output=True, text=True, **more)


class Citizen:
    """One server: packages, users, files of its root, and the command that starts it."""

    packages = ()
    users = ()          # names, each with a group of the same name
    folders = ()        # (path, mode, owner)
    programs = ()       # whose libraries the root must have
    command = ()
    def __init__(self, papers):
        self.folder = ROOT / "build" / "citizens" / type(self).__name__.lower()
        self.root = self.folder / "root"
        self.chain, self.key = papers.issue("citizen", names=f"DNS:{HOST}")
        self.submissions, self.submission = free_port(), free_port()
        self.process = None

    # ---- getting it ----
    def unpack(self):
        """The packages as Debian has them now; once is enough."""
        if (self.folder / "unpacked").exists():
            return
        if os.geteuid() != 0:
            raise Missing("only root may chroot")
        if not shutil.which("apt-get"):
            raise Missing("no apt-get: this is no Debian")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.root.mkdir(parents=True)
        try:
            done = run("apt-get", "download", *self.packages, cwd=self.folder, timeout=30)
        except subprocess.TimeoutExpired:
            raise Missing("apt-get download: no answer in 30 s") from None
        if done.returncode != 0:
            raise Missing(f"apt-get download: {(done.stderr.strip() or 'failed').splitlines()[-1]}")
        for package in self.folder.glob("*.deb"):
            if run("dpkg-deb", "-x", package, self.root).returncode != 0:
                raise Missing(f"{package.name} can't be unpacked")
        self.borrow_libraries()
        versions = sorted(re.sub(r"_[^_]+\.deb$", "", p.name).replace("%3a", ":") for p in self.folder.glob("*.deb"))
        (self.folder / "unpacked").write_text("\n".join(versions) + "\n")

    def borrow_libraries(self):
        """What the packages did not bring, the system has."""
        env = dict(os.environ, LD_LIBRARY_PATH=":".join(str(self.root) + path for path in LIBRARIES))
        for program in self.programs:
            for path in [self.root / program.lstrip("/"), *self.root.glob("usr/lib/x86_64-linux-gnu/sasl2/*.so")]:
                said = run("ldd", path, env=env).stdout
                if "not found" in said:
                    raise Missing(next(line.strip() for line in said.splitlines() if "not found" in line))
                for library in re.findall(r"(/\S+) \(0x", said):
                    if not library.startswith(str(self.root)):
                        target = self.root / library.lstrip("/")
                        target.parent.mkdir(parents=True, exist_ok=True)
                        shutil.copy(library, target)

    def version(self):
        return (self.folder / "unpacked").read_text().split()

    # ---- its root ----
    def write(self, path, text, mode=0o644):
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def furnish(self):
        ids = {name: 20000 + i for i, name in enumerate(("nobody", *self.users))}
        self.write("/etc/passwd", "root:x:0:0::/:/bin/false\n" + "".join(f"{n}:x:{i}:{i}::/nonexistent:/bin/false\n" for n, i in ids.items()))
        self.write("/etc/group", "root:x:0:\n" + "".join(f"{n}:x:{i}:\n" for n, i in ids.items()))
        self.write("/etc/hosts", f"127.0.0.1 localhost {HOST}\n")
        self.write("/etc/ssl/mail/chain.pem", self.chain.read_text())
        self.write("/etc/ssl/mail/key.pem", self.key.read_text(), 0o600)
        for path, mode, owner in (("/tmp", 0o1777, "root"), ("/run", 0o755, "root"), *self.folders):
            target = self.root / path.lstrip("/")
            target.mkdir(parents=True, exist_ok=True)
            target.chmod(mode)
            os.chown(target, ids.get(owner, 0), ids.get(owner, 0))
        if not (self.root / "var" / "run").exists():
            (self.root / "var").mkdir(exist_ok=True)
            (self.root / "var" / "run").symlink_to("/run")
        (self.root / "dev").mkdir(exist_ok=True)
        for name, minor in (("null", 3), ("zero", 5), ("random", 8), ("urandom", 9)):
            if not (self.root / "dev" / name).exists():
                try:
                    os.mknod(self.root / "dev" / name, 0o20666, os.makedev(1, minor))
                except OSError as error:
                    raise Missing(f"no device can be made: {error}") from error
                (self.root / "dev" / name).chmod(0o666)
        self.configure()

    def configure(self):
        raise NotImplementedError

    # ---- its life ----
    def __enter__(self):
        self.unpack()
        self.furnish()
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(["chroot", str(self.root), *self.command], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        start_new_session=True, env={"PATH": "/usr/sbin:/usr/bin", "HOME": "/"})
        try:
            for port in (self.submissions, self.submission):
                eventually(lambda port=port: self.listens(port), f"port {port}", START)
        except (AssertionError, Missing):
            self.__exit__()
            raise
        return self

    def listens(self, port):
        if self.process.poll() is not None:
            said = (self.folder / "log").read_text(errors="replace")[-2000:]
            if said.startswith("chroot: "):
                raise Missing(said.strip())
            raise AssertionError(f"ended with {self.process.returncode}: {said}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True

    def __exit__(self, *_):
        """The session that was started for it, and nothing else."""
        for kind in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, kind)
            except ProcessLookupError:
                break
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                continue
            time.sleep(0.1)
        self.process.wait(5)
        self.log.close()


class Exim(Citizen):
    packages = ("exim4-base", "exim4-daemon-light", "libdb5.3", "libgnutls-dane0", "libgnutls30", "libnsl2", "libtirpc3", "libpcre2-8-0", "libidn12",
                "libunbound8")
    users = ("Debian-exim",)
    folders = (("/var/spool/exim4", 0o750, "Debian-exim"), ("/var/log/exim4", 0o750, "Debian-exim"))
    programs = ("/usr/sbin/exim4",)
    command = ("/usr/sbin/exim4", "-bdf", "-q1h")
    mended = ("NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM"
              ":+CHACHA20-POLY1305:%SERVER_PRECEDENCE")

    def configure(self):
        self.write("/etc/exim4/exim4.conf", f"""
primary_hostname = {HOST}
local_interfaces = 127.0.0.1
daemon_smtp_ports = {self.submissions} : {self.submission}
tls_on_connect_ports = {self.submissions}
tls_advertise_hosts = *
tls_certificate = /etc/ssl/mail/chain.pem
tls_privatekey = /etc/ssl/mail/key.pem
tls_require_ciphers = ${{if eq{{$received_port}}{{{self.submission}}}{{{self.mended}}}{{NORMAL}}}}
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
smtp_accept_max = 200
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim4/%slog
acl_smtp_mail = check_mail
acl_smtp_rcpt = check_rcpt
begin acl
check_mail:
  deny message = TLS first
       !encrypted = *
  deny message = authentication required
       !authenticated = *
  accept
check_rcpt:
  accept authenticated = *
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and {{{{eq{{$auth2}}{{someone}}}}{{eq{{$auth3}}{{something}}}}}}}}
  server_set_id = $auth2
""")
        (self.root / "etc/ssl/mail/key.pem").chmod(0o640)
        os.chown(self.root / "etc/ssl/mail/key.pem", 0, 20001)


class OpenSMTPD(Citizen):
    # 6.8.0 has no handshake under OpenSSL 3, whatever the key: its process for keys doesn't get to sign.
    packages = ("opensmtpd", "libevent-2.1-7", "libdb5.3", "libpam0g", "libaudit1", "libcap-ng0")
    users = ("opensmtpd", "opensmtpq")
    folders = (("/var/lib/opensmtpd/empty", 0o711, "root"), ("/var/spool/smtpd", 0o711, "root"))
    programs = ("/usr/sbin/smtpd",)
    command = ("/usr/sbin/smtpd", "-d")

    def configure(self):
        self.write("/etc/mailname", f"{HOST}\n")
        self.write("/etc/creds", "someone $6$salt$kept.from.everybody\n", 0o640)
        self.write("/etc/smtpd.conf", f"""
pki {HOST} cert "/etc/ssl/mail/chain.pem"
pki {HOST} key "/etc/ssl/mail/key.pem"
table creds file:/etc/creds
listen on 127.0.0.1 port {self.submissions} smtps pki {HOST} auth <creds> hostname {HOST}
listen on 127.0.0.1 port {self.submission} tls-require pki {HOST} auth <creds> hostname {HOST}
action "relay" relay
match auth from any for any action "relay"
""")


class Postfix(Citizen):
    packages = ("postfix", "libsasl2-2", "libsasl2-modules", "libsasl2-modules-db", "libdb5.3", "libicu72", "libnsl2", "libtirpc3")
    users = ("postfix", "postdrop")
    folders = (("/var/lib/postfix", 0o755, "postfix"), ("/var/spool/postfix", 0o755, "root"), ("/var/spool/postfix/pid", 0o755, "root"),
               *((f"/var/spool/postfix/{name}", 0o700, "postfix") for name in ("active", "incoming", "deferred", "defer", "bounce", "corrupt",
                                                                              "hold", "flush", "trace", "saved", "private")),
               ("/var/spool/postfix/public", 0o710, "postfix"), ("/var/spool/postfix/maildrop", 0o730, "postfix"))
    programs = ("/usr/lib/postfix/sbin/master", "/usr/lib/postfix/sbin/smtpd", "/usr/lib/postfix/sbin/tlsmgr")
    command = ("/usr/lib/postfix/sbin/master", "-d", "-c", "/etc/postfix")
    mended = ("smtpd_tls_mandatory_protocols = >=TLSv1.2", "smtpd_tls_mandatory_ciphers = high", "tls_preempt_cipherlist = yes",
              "smtpd_tls_mandatory_exclude_ciphers = aNULL, kRSA, 3DES, RC4, SHA1, SHA256, SHA384", "smtpd_tls_auth_only = yes",
              "smtpd_delay_reject = no", "smtpd_sender_restrictions = permit_sasl_authenticated, reject", "tls_ssl_options = NO_RENEGOTIATION")

    def configure(self):
        self.write("/etc/postfix/main.cf", f"""
compatibility_level = 3.6
myhostname = {HOST}
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
local_recipient_maps =
smtpd_peername_lookup = no
smtpd_tls_security_level = encrypt
smtpd_tls_chain_files = /etc/ssl/mail/key.pem, /etc/ssl/mail/chain.pem
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = cyrus
smtpd_sasl_path = smtpd
cyrus_sasl_config_path = /etc/postfix/sasl
smtpd_relay_restrictions = permit_sasl_authenticated, reject
""")
        self.write("/etc/postfix/sasl/smtpd.conf", "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN SCRAM-SHA-256\n")
        services = ["cleanup unix n - n - 0 cleanup", "tlsmgr unix - - n 1000? 1 tlsmgr", "rewrite unix - - n - - trivial-rewrite",
                    "proxymap unix - - n - - proxymap", "anvil unix - - n - 1 anvil", "qmgr unix n - n 300 1 qmgr"]
        self.write("/etc/postfix/master.cf", "\n".join([
            f"127.0.0.1:{self.submissions} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes",
            f"127.0.0.1:{self.submission} inet n - n - - smtpd" + "".join(f" -o {{ {line} }}" for line in self.mended), *services]) + "\n")


ALL = (Postfix, Exim, OpenSMTPD)
