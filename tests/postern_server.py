"""Start Postern as a user would, and look at what it does. The fixtures of conftest.py end what they start."""
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
POSTERN = os.environ.get("POSTERN", str(ROOT / "build" / "gcc" / "postern"))
PATIENCE = 30
ROLES = ("spool", "history", "signer", "auth", "relay", "front")


given_ports = set()


def free_port():
    """A loopback port above 10000 that nobody listens on, and that nobody here was given before."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port > 10000 and port not in given_ports:
            given_ports.add(port)
            return port


def postern(*arguments, **more):
    """Run a subcommand to its end."""
    more.setdefault("timeout", PATIENCE)
    more.setdefault("text", True)
    more.setdefault("capture_output", True)
    return subprocess.run([POSTERN, *map(str, arguments)], check=False, **more)


def eventually(look, what, patience=PATIENCE):
    """The first true value of look(), or a failure that says what was awaited."""
    end = time.monotonic() + patience
    while True:
        value = look()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience} s for {what}")
        time.sleep(0.05)


class Server:
    """A running `postern serve`.

    host, submissions, submission   where it listens (loopback)
    hostname, ca, login, key        what a client needs to know
    state, maildir, log             where it keeps things; log is its stderr
    """

    def __init__(self, folder, config=None, sets=(), env=None):
        self.folder, self.sets, self.env = folder, list(sets), dict(os.environ, **(env or {}))
        self.host, self.login, self.key = "127.0.0.1", "demo", None
        self.submissions, self.submission = free_port(), free_port()
        self.state, self.log, self.out = folder / "state", folder / "log", folder / "out"
        self.maildir = self.state / "Maildir"
        self.config = folder / "postern.conf" if config is not None else None
        self.hostname = "mail.example.org" if config is not None else "postern.localhost"
        self.ca = self.state / "tls" / "ca.pem"
        self.process = None
        if config is not None:
            self.write_config(config)

    def write_config(self, more=""):
        """hostname, listeners and state of this server, a Maildir unless `more` says where mail goes, and `more`."""
        lines = [
            f'hostname = "{self.hostname}"',
            f'listen-submissions = {{ "127.0.0.1:{self.submissions}" }}',
            f'listen-submission = {{ "127.0.0.1:{self.submission}" }}',
            f'state-dir = "{self.state}"',
        ]
        if not re.search(r"^relay *=", more, re.M):
            lines.append(f'relay = "maildir:{self.maildir}"')
        # Whoever reads it meanwhile finds all of one.
        fresh = self.config.with_suffix(".new")
        fresh.write_text("\n".join(lines) + "\n" + more)
        os.replace(fresh, self.config)

    @property
    def options(self):
        """What every subcommand needs to find this server."""
        if self.config is not None:
            return ["--config", str(self.config)]
        return ["--state", str(self.state)]

    def arguments(self):
        listen = [] if self.config is not None else [
            f"listen-submissions=127.0.0.1:{self.submissions}", f"listen-submission=127.0.0.1:{self.submission}"]
        return [a for s in listen + self.sets for a in ("--set", s)]

    def launch(self, prefix=()):
        """Start without waiting; prefix: a command that runs it."""
        with self.log.open("a") as log, self.out.open("w") as out:
            self.process = subprocess.Popen([*prefix, POSTERN, "serve", *self.options, *self.arguments()], stdout=out, stderr=log,
                                            stdin=subprocess.DEVNULL, env=self.env)
        return self

    def start(self, prefix=()):
        seen = len(self.events("ready"))
        self.launch(prefix)

        def ready():
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.log.read_text()}"
            return len(self.events("ready")) > seen

        eventually(ready, "the ready line")
        if self.config is None:
            eventually(lambda: "from    " in self.out.read_text(), "the words for people")
            shown = re.search(r"^ +key +([0-9a-z]{4}(?:-[0-9a-z]{4})+)", self.out.read_text(), re.M)
            self.key = shown.group(1) if shown else self.key
        return self

    def stop(self, kind=signal.SIGTERM):
        """Ask it to end; its exit status."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(kind)
        try:
            return self.process.wait(45)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def hup(self):
        self.process.send_signal(signal.SIGHUP)

    def events(self, name=None, **pairs):
        """The log lines as dictionaries, of this event and with these values."""
        found = []
        for line in self.log.read_text(errors="replace").splitlines() if self.log.exists() else []:
            event = {k: a.replace('\\"', '"') if a else b for k, a, b in re.findall(r'([\w-]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))', line)}
            if name is not None and event.get("event") != name:
                continue
            if all(event.get(k.replace("_", "-")) == str(v) for k, v in pairs.items()):
                found.append(event)
        return found

    def await_event(self, name, count=1, patience=PATIENCE, **pairs):
        """The count-th such event, when it has come."""
        return eventually(lambda: (self.events(name, **pairs) or [])[count - 1:count],
                          f"event {name} {pairs}", patience)[0]

    def children(self):
        """{"front:0": pid, ...} of those that run now."""
        found = {}
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            for pid in (task / "children").read_text().split():
                try:
                    words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                except (FileNotFoundError, ProcessLookupError):
                    continue        # it has gone, before the file was opened or after
                if len(words) > 5 and words[2] == b"--role":
                    found[f"{words[3].decode()}:{words[5].decode()}"] = int(pid)
        return found

    def context(self):
        """A TLS context that trusts this server's CA and checks names."""
        return ssl.create_default_context(cafile=str(self.ca))

    def served_leaf(self):
        """The DER certificate that the submissions port serves."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection((self.host, self.submissions), 10) as tcp, \
                context.wrap_socket(tcp, server_hostname=self.hostname) as tls:
            return tls.getpeercert(binary_form=True)

    def add_key(self, name="demo", address=None, device="first"):
        """A login with a sender key, for a server with a configuration; login and key are set."""
        address = address or f"@{self.hostname}"
        done = postern("user", "add", *self.options, name, "--address", address)
        assert done.returncode == 0, done.stderr
        done = postern("user", "key", *self.options, name, device)
        assert done.returncode == 0, done.stderr
        self.login, self.key = name, re.search(r"[0-9a-z]{4}(?:-[0-9a-z]{4}){6}", done.stdout).group(0)
        return self.key

    def mails(self):
        """What has arrived in the Maildir, as octets, oldest first."""
        new = self.maildir / "new"
        return [p.read_bytes() for p in sorted(new.iterdir(), key=lambda p: p.stat().st_mtime_ns)] if new.is_dir() else []

    def await_mails(self, count=1, patience=PATIENCE):
        return eventually(lambda: len(self.mails()) >= count and self.mails(), f"{count} mails", patience)


def make_certificate(folder, name, stem="mine", days=90):
    """A self-signed certificate with its key: (chain, key)."""
    chain, key = folder / f"{stem}.pem", folder / f"{stem}-key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", str(days),
                    "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", str(key), "-out", str(chain)],
                   check=True, capture_output=True)
    return chain, key
