"""Programs that others wrote, and our own, each as a function that submits one letter through one door.

Each verifies the server's certificate. TABLE says what of it each client can do; a client that is not installed is
skipped with the reason that missing() gives.
"""
import base64
import dataclasses
import functools
import json
import os
import pathlib
import re
import shutil
import smtplib
import ssl
import subprocess
from urllib.parse import quote

from postern_server import POSTERN, ROOT
from letters import ALL

HERE = pathlib.Path(__file__).resolve().parent
PATIENCE = 30
HELO = "laptop.example.org"


@dataclasses.dataclass
class Door:
    """What a person writes into his mail program. service "clear" is the STARTTLS port without asking for TLS."""
    folder: pathlib.Path
    service: str
    port: int
    ca: pathlib.Path
    login: str
    password: str
    host: str = "127.0.0.1"
    name: str = "postern.localhost"
    mechanism: str = "PLAIN"


@dataclasses.dataclass
class Done:
    """What a client said at its end; sent is the message with LF, and rcpts the recipients, as it says it sent them."""
    status: int
    words: str
    sent: bytes = b""
    rcpts: list = dataclasses.field(default_factory=list)


def run(door, letter, *argv, feed=b"", **env):
    """A client in an empty home, so that nobody's own settings take part."""
    env = {"PATH": os.environ["PATH"], "HOME": str(door.folder), "LC_ALL": "C.UTF-8", "TMPDIR": str(door.folder), **env}
    done = subprocess.run([str(a) for a in argv], input=feed, env=env, cwd=door.folder, timeout=PATIENCE, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return Done(done.returncode, done.stdout.decode(errors="replace"), letter.whole, list(letter.rcpts))


def file_with(door, name, octets, mode=0o600):
    path = door.folder / name
    path.write_bytes(octets)
    path.chmod(mode)
    return path


def curl(door, letter):
    scheme = "smtps" if door.service == "submissions" else "smtp"
    tls = [] if door.service == "clear" else ["--ssl-reqd"]
    rcpts = [a for r in letter.rcpts for a in ("--mail-rcpt", r)]
    return run(door, letter, "curl", "-q", "-sS", "-v", *tls, "--url", f"{scheme}://{door.name}:{door.port}/{HELO}",
               "--connect-to", f"::{door.host}:", "--cacert", door.ca, "--user", f"{door.login}:{door.password}",
               "--login-options", f"AUTH={door.mechanism}", "--mail-from", letter.sender, *rcpts,
               "-T", file_with(door, "letter", letter.content))


def msmtp(door, letter):
    account = f"""
account default
host {door.host}
port {door.port}
tls {"off" if door.service == "clear" else "on"}
tls_starttls {"off" if door.service == "submissions" else "on"}
tls_trust_file {door.ca}
tls_host_override {door.name}
auth {door.mechanism.lower()}
user {door.login}
password {door.password}
from {letter.sender}
domain {HELO}
timeout 20
"""
    return run(door, letter, "msmtp", "--file", file_with(door, "msmtprc", account.encode()), "--", *letter.rcpts,
               feed=letter.lines)


def swaks(door, letter):
    """Debian 12's verifies the chain, and not the name. The final dot is part of its data; it doubles the others itself."""
    tls = {"submissions": ["--tls-on-connect"], "submission": ["--tls"], "clear": []}[door.service]
    tls += ["--tls-verify", "--tls-ca-path", door.ca, "--tls-sni", door.name] if tls else []
    return run(door, letter, "swaks", "--server", door.host, "--port", door.port, *tls, "--auth", door.mechanism,
               "--auth-user", door.login, "--auth-password", door.password, "--helo", HELO, "--timeout", "20",
               "--from", letter.sender, "--to", ",".join(letter.rcpts), "--data",
               "@" + str(file_with(door, "letter", letter.whole + b".\n")))


class Python:
    """smtplib, in this process."""

    def __init__(self, door, letter):
        self.door, self.letter = door, letter
        self.context = ssl.create_default_context(cafile=str(door.ca))

    def connect(self):
        if self.door.service == "submissions":
            return smtplib.SMTP_SSL(self.door.host, self.door.port, HELO, timeout=20, context=self.context)
        smtp = smtplib.SMTP(self.door.host, self.door.port, HELO, timeout=20)
        if self.door.service == "submission":
            smtp.starttls(context=self.context)
        return smtp

    def options(self, smtp):
        utf8 = not all(r.isascii() for r in self.letter.rcpts)
        smtp.ehlo_or_helo_if_needed()
        return (["SMTPUTF8"] if utf8 else []) + (["BODY=8BITMIME"] if not self.letter.content.isascii() else [])

    def submit(self):
        with self.connect() as smtp:
            smtp.ehlo()
            smtp.user, smtp.password = self.door.login, self.door.password
            if self.door.mechanism not in smtp.esmtp_features.get("auth", "").split():
                raise smtplib.SMTPNotSupportedError(f"no {self.door.mechanism}")
            # LOGIN too with its first answer in the command (docs/decisions/0016).
            smtp.auth(self.door.mechanism, getattr(smtp, f"auth_{self.door.mechanism.lower()}"))
            refused = smtp.sendmail(self.letter.sender, self.letter.rcpts, self.letter.content, self.options(smtp))
            return Done(len(refused), str(refused), self.letter.whole, list(self.letter.rcpts))


def python(door, letter):
    try:
        return Python(door, letter).submit()
    except (smtplib.SMTPException, OSError) as error:
        return Done(1, f"{type(error).__name__}: {error}")


def perl(door, letter):
    tls = {"submissions": "tls", "submission": "starttls", "clear": "none"}[door.service]
    return run(door, letter, "/usr/bin/perl", HERE / "submit.pl", tls, door.host, door.port, door.ca, door.name, door.mechanism,
               door.login, letter.sender, *letter.rcpts, feed=letter.content, PASSWORD=door.password)


def nodemailer(door, letter):
    want = {"host": door.host, "port": door.port, "service": door.service, "ca": door.ca.read_text(), "name": door.name,
            "login": door.login, "password": door.password, "mechanism": door.mechanism, "from": letter.sender,
            "rcpts": letter.rcpts, "content": base64.b64encode(letter.content).decode()}
    return run(door, letter, "node", HERE / "submit.js", feed=json.dumps(want).encode(), NODEMAILER=str(find_nodemailer()[0]))


def git(door, letter):
    """Takes the message for a patch in mbox form, makes the header anew, sorts the recipients, and prints all that."""
    encryption = {"submissions": "ssl", "submission": "tls", "clear": "none"}[door.service]
    rcpts = [a for r in letter.rcpts for a in ("--to", r)]
    mbox = file_with(door, "0001.patch", b"From 0123456789abcdef Mon Sep 17 00:00:00 2001\n" + letter.lines)
    done = run(door, letter, "git", "-c", "sendemail.xmailer=true", "send-email", "--smtp-server", door.host, "--smtp-server-port",
               door.port, "--smtp-encryption", encryption, "--smtp-ssl-cert-path", door.ca, "--smtp-auth", door.mechanism,
               "--smtp-user", door.login, "--smtp-pass", door.password, "--smtp-domain", HELO, "--from", f"Alice <{letter.sender}>",
               "--envelope-sender", letter.sender, *rcpts, "--suppress-cc", "all", "--confirm", "never", "--no-thread",
               "--transfer-encoding", "8bit", "--no-validate", mbox,
               GIT_CONFIG_NOSYSTEM="1", GIT_TERMINAL_PROMPT="0", GIT_ASKPASS="/bin/false")
    shown = re.search(r"^(From: .*?\n)\n+Result: 250", done.words, re.M | re.S)
    header = "\n".join(line for line in shown.group(1).split("\n") if line) if shown else ""
    done.sent = header.encode() + b"\n\n" + letter.whole.partition(b"\n\n")[2]
    done.rcpts = re.findall(r"^RCPT TO:<(.*)>$", done.words, re.M)
    return done


def s_nail(door, letter):
    """Composes the message itself, and keeps a copy of it in `record`. Knows no addresses in certificates, only names."""
    record = door.folder / "record"
    scheme = "smtps" if door.service == "submissions" else "smtp"
    settings = {"mta": f"{scheme}://{quote(door.login, '')}:{quote(door.password, '')}@localhost:{door.port}", "tls-ca-file": door.ca,
                "tls-ca-no-defaults": "", "tls-verify": "strict", "smtp-auth": door.mechanism.lower(), "from": letter.sender,
                "record": record, "hostname": HELO, "mime-encoding": "8bit", "mime-force-sendout": "", "sendwait": "", "nosave": "",
                "escape": "", "noasksend": ""}
    if door.service == "submission":
        settings["smtp-use-starttls"] = ""
    subject = re.search(rb"^Subject: (.*)$", letter.lines, re.M).group(1).decode()
    options = [a for key, value in settings.items() for a in ("-S", f"{key}={value}" if value else key)]
    done = run(door, letter, "s-nail", "-:/", "-S", "v15-compat", *options, "-s", subject, "-r", letter.sender, *letter.rcpts,
               feed=letter.body)
    if record.exists():
        done.sent = record.read_bytes().partition(b"\n")[2][:-1]
    return done


def postern_send(door, letter):
    scheme = door.service if door.service != "clear" else "smtp"
    rcpts = [a for r in letter.rcpts for a in ("--to", r)]
    server = f"{scheme}://{door.host}:{door.port}"
    return run(door, letter, POSTERN, "send", "--server", server, "--user", door.login, "--ca", door.ca, "--from", letter.sender,
               *rcpts, "--file", file_with(door, "letter", letter.lines), POSTERN_PASSWORD=door.password)


@functools.cache
def find_nodemailer():
    """Where nodemailer is (a folder of ours below build/, else Debian's), and why not."""
    ours, debians = ROOT / "build" / "nodemailer", pathlib.Path("/usr/share/nodejs/nodemailer")
    module = ours / "node_modules" / "nodemailer"
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]["nodemailer"]
    why = "npm is missing"
    if shutil.which("npm") and not (module.exists() and json.loads((module / "package.json").read_text())["version"] == wanted):
        ours.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, ours)
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0",
                               "--fetch-timeout=10000"], cwd=ours, capture_output=True, text=True, timeout=60, check=False)
        why = f"npm could not install it: {done.stderr.strip()[-300:]}"
    return next(((place, "") for place in (module, debians) if place.exists()), (None, why))


@dataclasses.dataclass
class Client:
    """submit, the programs it needs, and what it can.

    cannot      letters that it would change, or has no way to send, with the reason
    mechanisms  what it can prove itself with
    names       whether it compares the certificate's name with the one wanted
    """
    submit: object
    needs: tuple
    cannot: dict = dataclasses.field(default_factory=dict)
    mechanisms: tuple = ("PLAIN", "LOGIN")
    names: bool = True

    def letters(self):
        return [name for name in ALL if name not in self.cannot]


NO_UTF8 = {"international": "has no SMTPUTF8"}
TABLE = {
    "curl": Client(curl, ("curl",), {}, ("PLAIN", "LOGIN", "SCRAM-SHA-256")),
    "msmtp": Client(msmtp, ("msmtp",), NO_UTF8, ("PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS")),
    "swaks": Client(swaks, ("swaks",), NO_UTF8, names=False),
    "smtplib": Client(python, (), {}),
    "Net-SMTP": Client(perl, ("/usr/bin/perl",), NO_UTF8),
    "nodemailer": Client(nodemailer, ("node",)),
    "git": Client(git, ("git",), NO_UTF8),
    "s-nail": Client(s_nail, ("s-nail",), {**NO_UTF8, "long_lines": "makes them quoted-printable itself",
                                           "no_last_line_end": "makes it quoted-printable itself"}),
    "postern": Client(postern_send, (), {}, ()),
}


@functools.cache
def missing(name):
    """Why this client cannot take part here, or None."""
    for program in TABLE[name].needs:
        if not shutil.which(program):
            return f"{program} is not installed"
    if name == "nodemailer" and find_nodemailer()[0] is None:
        return f"nodemailer: {find_nodemailer()[1]}"
    if name == "Net-SMTP" and says("/usr/bin/perl", "-MAuthen::SASL", "-MIO::Socket::SSL", "-e", "print 1") != "1":
        return "Perl has no Authen::SASL or IO::Socket::SSL"
    if name == "git" and not pathlib.Path(says("git", "--exec-path").strip(), "git-send-email").exists():
        return "git-email is not installed"
    if name == "git" and says("/usr/bin/perl", "-MMail::Address", "-MAuthen::SASL", "-e", "print 1") != "1":
        return "Perl has no Mail::Address or Authen::SASL"
    return None


@functools.cache
def says(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=PATIENCE).stdout


def builtin(name, mechanism):
    """Whether this build of the client has the mechanism."""
    if mechanism in ("PLAIN", "LOGIN"):
        return True
    if name == "msmtp":
        methods = re.search(r"authentication methods:\n(.*)", says("msmtp", "--version")).group(1).split()
        # GNU SASL does not begin without binding where it could bind (docs/decisions/0005): an msmtp that knows -PLUS has that alone over TLS.
        return mechanism.lower() in methods and (mechanism != "SCRAM-SHA-256" or "scram-sha-256-plus" not in methods)
    return name == "curl" and "gsasl" in says("curl", "--version")
