"""contenders - the servers that bench/run compares, each a private instance below one folder, on loopback ports of its own."""
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time

# A daemon keeps what it inherits open: a pipe would never end.
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
TICK = os.sysconf("SC_CLK_TCK")
LOGIN, PASSWORD, SENDER = "alice@example.org", "correct horse battery staple", "alice@example.org"


def wait_for_port(port, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing answers on port {port}")


def wait_for_end(pids, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end and any(os.path.exists(f"/proc/{pid}") for pid in pids):
        time.sleep(0.1)


def children(root):
    """root and all its descendants that live now."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = pathlib.Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(stat.rsplit(")", 1)[1].split()[1]), []).append(int(entry))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += parents.get(pid, [])
    return found


def cpu_seconds(roots):
    """User and system time of all processes below roots, those that ended included (their parents waited for them)."""
    total = 0
    for root in roots:
        for pid in children(root):
            try:
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            total += sum(int(x) for x in fields[11:15])
    return total / TICK


def memory_kib(roots):
    """Proportional set size of all processes below roots."""
    total = 0
    for root in roots:
        for pid in children(root):
            try:
                for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1])
            except OSError:
                continue
    return total


def make_certificate(folder):
    """A P-256 CA and a certificate for mail.example.org, the same for every contender."""
    run = lambda *a: subprocess.run(a, check=True, capture_output=True)
    ca, key, crt = folder / "ca.pem", folder / "key.pem", folder / "cert.pem"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
        "-subj", "/CN=bench CA", "-keyout", folder / "ca-key.pem", "-out", ca)
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=mail.example.org",
        "-keyout", key, "-out", folder / "csr.pem")
    (folder / "ext").write_text("subjectAltName=DNS:mail.example.org\n")
    run("openssl", "x509", "-req", "-in", folder / "csr.pem", "-CA", ca, "-CAkey", folder / "ca-key.pem", "-days", "30",
        "-CAcreateserial", "-extfile", folder / "ext", "-out", crt)
    return ca, crt, key


class Postfix:
    """Debian's Postfix with Dovecot for SASL, tuned not to lose by a limit: no rate limits, no flow delay, no look-ups."""
    name = "postfix"

    def __init__(self, folder, port, sink, certificate):
        self.folder, self.port, self.sink = folder / "postfix", port, sink
        self.ca, self.cert, self.key = certificate
        self.login, self.password = LOGIN, PASSWORD

    def write_dovecot(self):
        folder, user = self.folder / "dovecot", "postfix"
        folder.mkdir()
        folder.chmod(0o755)
        (folder / "users").write_text(f"{LOGIN}:{{SHA512-CRYPT}}{crypt_sha512(PASSWORD)}\n")
        (folder / "dovecot.conf").write_text(f"""
protocols =
base_dir = {folder}/run
log_path = /dev/null
ssl = no
auth_mechanisms = plain login
passdb {{
  driver = passwd-file
  args = username_format=%u {folder}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}}
service auth {{
  client_limit = 4000
  unix_listener {self.folder}/spool/private/auth {{
    mode = 0660
    user = {user}
    group = {user}
  }}
}}
service anvil {{
  client_limit = 4000
}}
""")

    def write_postfix(self):
        etc = self.folder / "etc"
        etc.mkdir()
        etc.chmod(0o755)
        (etc / "main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {self.folder}/spool
data_directory = {self.folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.example.org
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
local_recipient_maps =
relayhost = [127.0.0.1]:{self.sink}
smtp_tls_security_level = none
smtp_host_lookup = native
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = {self.cert}
smtpd_tls_key_file = {self.key}
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_client_message_rate_limit = 0
in_flow_delay = 0s
default_process_limit = 1200
smtp_destination_concurrency_limit = 40
initial_destination_concurrency = 20
message_size_limit = 52428800
""")
        services = ["pickup unix n - n 60 1 pickup", "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr",
                    "tlsmgr unix - - n 1000? 1 tlsmgr", "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce",
                    "defer unix - - n - 0 bounce", "trace unix - - n - 0 bounce", "verify unix - - n - 1 verify",
                    "flush unix n - n 1000? 0 flush", "proxymap unix - - n - - proxymap", "proxywrite unix - - n - 1 proxymap",
                    "smtp unix - - n - - smtp", "relay unix - - n - - smtp", "error unix - - n - - error",
                    "retry unix - - n - - error", "discard unix - - n - - discard", "anvil unix - - n - 1 anvil",
                    "scache unix - - n - 1 scache", "postlog unix-dgram n - n - 1 postlogd"]
        listener = f"127.0.0.1:{self.port} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes"
        (etc / "master.cf").write_text("\n".join([listener] + services) + "\n")

    def start(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.folder.chmod(0o755)
        for name in ("spool", "data"):
            (self.folder / name).mkdir()
        uid = pwd.getpwnam("postfix").pw_uid
        os.chown(self.folder / "data", uid, -1)
        self.write_postfix()
        subprocess.run(["postfix", "-c", self.folder / "etc", "start"], check=True, **QUIET)
        wait_for_port(self.port)
        self.write_dovecot()
        subprocess.run(["dovecot", "-c", self.folder / "dovecot/dovecot.conf"], check=True, **QUIET)
        time.sleep(1)
        self.roots = [int((self.folder / "spool/pid/master.pid").read_text()),
                      int((self.folder / "dovecot/run/master.pid").read_text())]

    def stop(self):
        subprocess.run(["postfix", "-c", self.folder / "etc", "stop"], check=False, **QUIET)
        os.kill(self.roots[1], signal.SIGTERM)
        wait_for_end(self.roots)

    def version(self):
        return "postfix " + subprocess.run(["postconf", "-h", "mail_version"], capture_output=True, text=True).stdout.strip()


class Postern:
    name = "postern"
    more, domains = "", ()      # further lines of configuration, and who signs

    def __init__(self, folder, port, sink, certificate, binary):
        self.folder, self.port, self.sink, self.binary = folder / "postern", port, sink, binary
        self.ca, self.cert, self.key = certificate
        self.login, self.password = LOGIN, PASSWORD

    def run(self, *arguments, **more):
        return subprocess.run([self.binary, *arguments], check=True, capture_output=True, text=True, **more).stdout

    def start(self, lines=()):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        conf = self.folder / "postern.conf"
        conf.write_text(f"""
hostname = "mail.example.org"
state-dir = "{self.folder}/state"
listen-submissions = {{ "127.0.0.1:{self.port}" }}
listen-submission = {{}}
certificate {{
	chain = "{self.cert}"
	key = "{self.key}"
}}
relay = "smtp://127.0.0.1:{self.sink}"
# All clients have one address here, as Postfix is told too.
sessions-per-address = 1000000
unauthenticated-per-address = 1000000
unauthenticated-max = 1000000
{self.more}""" + "".join(line + "\n" for line in lines))
        (self.folder / "state").mkdir(mode=0o700)
        for domain in self.domains:
            self.run("user", "domain", "add", domain, "--config", str(conf))
        self.run("user", "add", "--config", str(conf), "alice", "--address", SENDER)
        shown = self.run("user", "key", "--config", str(conf), "alice", "bench")
        self.login, self.password = "alice", re.search(r"[0-9a-z]{4}(?:-[0-9a-z]{4}){6}", shown).group(0)
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen([self.binary, "serve", "--config", str(conf)], stderr=self.log, stdout=self.log)
        self.roots = [self.process.pid]
        wait_for_port(self.port)
        time.sleep(1)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.log.close()

    def version(self):
        return self.run("version").strip()


def crypt_sha512(password):
    return subprocess.run(["openssl", "passwd", "-6", password], check=True, capture_output=True, text=True).stdout.strip()
