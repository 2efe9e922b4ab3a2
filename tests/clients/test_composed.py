"""Messages that the clients compose themselves, with an attachment of 300 KiB: what was attached is what comes out (5321-44).

The message here is the client's, with whatever header it likes; what it leaves out (Date, Message-ID) we add (6409-25, 6409-26).
"""
import email
import email.policy
import json
import random

import pytest

import mailers
from gate import gate  # noqa: F401
from letters import SENDER, Letter, letter
from mailers import HELO, HERE, missing, run

DATA = random.Random(11).randbytes(300 * 1024)
TEXT = "Grüße\n.\n..und Punkte\n"


def curl(door, sent, data):
    scheme = "smtps" if door.service == "submissions" else "smtp"
    return run(door, sent, "curl", "-q", "-sS", "--ssl-reqd", "--url", f"{scheme}://{door.name}:{door.port}/{HELO}",
               "--connect-to", f"::{door.host}:", "--cacert", door.ca, "--user", f"{door.login}:{door.password}",
               "--mail-from", SENDER, "--mail-rcpt", sent.rcpts[0], "-H", f"From: <{SENDER}>", "-H", f"To: <{sent.rcpts[0]}>",
               "-H", f"Subject: {sent.mark}", "-F", f"={TEXT};type=text/plain;encoder=quoted-printable",
               "-F", f"=@{data};encoder=base64;filename=data.bin")


def swaks(door, sent, data):
    tls = ["--tls-on-connect"] if door.service == "submissions" else ["--tls"]
    return run(door, sent, "swaks", "--server", door.host, "--port", door.port, *tls, "--tls-verify", "--tls-ca-path", door.ca,
               "--auth", "PLAIN", "--auth-user", door.login, "--auth-password", door.password, "--helo", HELO, "--from", SENDER,
               "--to", sent.rcpts[0], "--h-Subject", sent.mark, "--body", TEXT, "--attach-type", "application/octet-stream",
               "--attach-name", "data.bin", "--attach", f"@{data}")


def s_nail(door, sent, data):
    tls = [] if door.service == "submissions" else ["-S", "smtp-use-starttls"]
    scheme = "smtps" if door.service == "submissions" else "smtp"
    return run(door, sent, "s-nail", "-:/", "-S", "v15-compat", "-S", f"mta={scheme}://{door.login}:{door.password}@localhost:{door.port}",
               "-S", f"tls-ca-file={door.ca}", "-S", "tls-ca-no-defaults", "-S", "tls-verify=strict", "-S", "smtp-auth=plain", *tls,
               "-S", "sendwait", "-S", "nosave", "-S", f"hostname={HELO}", "-r", SENDER, "-s", sent.mark, "-a", data, sent.rcpts[0],
               feed=TEXT.encode())


def nodemailer(door, sent, data):
    want = {"host": door.host, "port": door.port, "service": door.service, "ca": door.ca.read_text(), "name": door.name,
            "login": door.login, "password": door.password, "mechanism": "PLAIN",
            "compose": {"from": SENDER, "to": sent.rcpts[0], "subject": sent.mark, "text": TEXT,
                        "attachments": [{"filename": "data.bin", "path": str(data)}]}}
    return run(door, sent, "node", HERE / "submit.js", feed=json.dumps(want).encode(),
               NODEMAILER=str(mailers.find_nodemailer()[0]))


COMPOSE = {"curl": curl, "swaks": swaks, "s-nail": s_nail, "nodemailer": nodemailer}


@pytest.mark.parametrize("service", ["submissions", "submission"])
@pytest.mark.parametrize("name", COMPOSE)
def test_attachment(gate, name, service):  # noqa: F811
    if missing(name):
        pytest.skip(missing(name))
    sent, door = letter(), gate.door(service)
    data = mailers.file_with(door, "data.bin", DATA)
    done = COMPOSE[name](door, Letter(sent.mark, b"", rcpts=sent.rcpts), data)
    assert done.status == 0, done.words
    message = email.message_from_bytes(gate.arrived(sent)[1], policy=email.policy.default)
    assert message.defects == []
    assert message["From"].addresses[0].addr_spec == SENDER
    assert len(message.get_all("Date")) == len(message.get_all("Message-ID")) == 1
    parts = [part for part in message.walk() if not part.is_multipart()]
    assert parts[0].get_payload(decode=True).decode().replace("\r\n", "\n").rstrip("\n") == TEXT.rstrip("\n")
    assert parts[-1].get_filename() == "data.bin"
    assert parts[-1].get_payload(decode=True) == DATA, "the attachment has changed"
