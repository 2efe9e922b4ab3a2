"""Whose credentials a client may bring: sender keys, chosen passwords, imported hashes; and when they end."""
import warnings

import pytest

from gate import Gate
from letters import SENDER, letter
from mailers import TABLE, builtin, missing
from postern_server import eventually, postern

PASSWORD = "Pass wörd, with %20 & \"quotes\""
WITHIN = 5  # a running server looks every second, and a refusal takes one
METHODS = {"sha512": "$6$", "bcrypt": "$2b$", "yescrypt": "$y$"}


def hashed(prefix):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        crypt = pytest.importorskip("crypt")
        salt = {"$6$": lambda: crypt.mksalt(crypt.METHOD_SHA512), "$2b$": lambda: crypt.mksalt(crypt.METHOD_BLOWFISH),
                "$y$": lambda: "$y$j9T$T5n3xW9kYd1Qp7uZbA6cE0$"}[prefix]()
        made = crypt.crypt(PASSWORD, salt)
    assert made and made.startswith(prefix)
    return made


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    """alice has a key; carol a password of her own choice; the users of METHODS are imported from a passwd-file."""
    folder = tmp_path_factory.mktemp("credentials")
    passwd = folder / "passwd"
    passwd.write_text("".join(f"{name}@example.org:{{CRYPT}}{hashed(prefix)}::::::\n" for name, prefix in METHODS.items()))
    passwd.chmod(0o600)
    one = Gate(folder, f'passwd-file = "{passwd}"\n')
    done = postern("user", "add", *one.server.options, "carol", "--address", "carol@example.org", "--password", input=f"{PASSWORD}\n")
    assert done.returncode == 0, done.stderr
    yield one
    one.close()


def submit(gate, client, login, password, mechanism="PLAIN", sender=SENDER):
    if missing(client):
        pytest.skip(missing(client))
    sent = letter(sender=sender, author=sender)
    done = TABLE[client].submit(gate.door(name=gate.server.hostname, login=login, password=password, mechanism=mechanism), sent)
    if done.status == 0:
        assert gate.arrived(sent)[1] == done.sent
    return done


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("client", ["curl", "swaks", "nodemailer"])
def test_imported_hash(gate, client, method, mechanism):
    """A passwd-file as Dovecot writes it: who is named in it sends with PLAIN and LOGIN (4616-1)."""
    who = f"{method}@example.org"
    done = submit(gate, client, who, PASSWORD, mechanism, who)
    assert done.status == 0, done.words


@pytest.mark.parametrize("method", METHODS)
def test_imported_hash_of_another_password(gate, method):
    who = f"{method}@example.org"
    assert "535" in submit(gate, "smtplib", who, PASSWORD.replace("ö", "o"), "PLAIN", who).words


@pytest.mark.parametrize("client,mechanism", [("curl", "PLAIN"), ("msmtp", "LOGIN"), ("msmtp", "SCRAM-SHA-256"), ("postern", "")])
def test_chosen_password(gate, client, mechanism):
    """scram-1, scram-2: a password with everything in it that a mechanism might stumble over."""
    if missing(client) or not (client == "postern" or builtin(client, mechanism)):
        pytest.skip(missing(client) or f"this {client} was built without {mechanism}")
    done = submit(gate, client, "carol", PASSWORD, mechanism, "carol@example.org")
    assert done.status == 0, done.words


def test_scram_does_not_know_imported_hashes(gate):
    """They hold no SCRAM verifier; the reply is that of a wrong password (scram-7)."""
    if missing("msmtp"):
        pytest.skip(missing("msmtp"))
    who = "sha512@example.org"
    assert "535" in submit(gate, "msmtp", who, PASSWORD, "SCRAM-SHA-256", who).words


def test_revoked_key(gate):
    """A running server takes it within a second."""
    done = postern("user", "key", *gate.server.options, "alice", "tablet")
    key = done.stdout.split()[-1]
    eventually(lambda: submit(gate, "smtplib", "alice/tablet", key).status == 0, "the key's beginning", WITHIN)
    assert postern("user", "revoke", *gate.server.options, "alice/tablet").returncode == 0
    eventually(lambda: submit(gate, "smtplib", "alice/tablet", key).status != 0, "the key's end", WITHIN)
    assert submit(gate, "smtplib", "alice", gate.password).status == 0


def test_key_for_some_addresses(gate):
    """A key given with --from sends as that address, and as no other of its owner's."""
    done = postern("user", "key", *gate.server.options, "alice", "printer", "--from", "alice+printer@example.org")
    assert done.returncode == 0, done.stderr
    key = done.stdout.split()[-1]
    own = "alice+printer@example.org"
    eventually(lambda: submit(gate, "smtplib", "alice/printer", key, sender=own).status == 0, "the key's beginning", WITHIN)
    assert "550" in submit(gate, "smtplib", "alice/printer", key).words
