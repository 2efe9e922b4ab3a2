"""All memory of a front, taken by root during and after handshakes: no private key, no verifier, no password of anybody who is in."""
import base64
import os
import re
import socket
import ssl

import pytest
from postern_server import postern
from test_keys import found_in, make_key, memory_of, secrets_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may read the memory of a process that is not dumpable")
PASSWORDS = {"alice": "walnut-Teapot-6140-gravel-Saffron-2297", "bob": "copper-Meadow-8813-violin-Harvest-4076"}


class Client:
    """A TLS session that can stop in the middle of its handshake."""

    def __init__(self, one, chain):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tcp = socket.create_connection((one.host, one.submissions), 20)
        context = ssl.create_default_context(cafile=str(chain))
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="ec.example.org")

    def step(self):
        """One flight of ours; False when there is nothing left to wait for."""
        try:
            self.tls.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            done = False
        self.tcp.sendall(self.outgoing.read())
        return not done

    def hello(self):
        """Until the server has signed and answered, but not a step further."""
        assert self.step()
        return self.tcp.recv(16384, socket.MSG_PEEK)

    def finish(self):
        while self.step():
            self.incoming.write(self.tcp.recv(16384))
        return self.reply()

    def reply(self):
        text = b""
        while not re.search(rb"(^|\n)\d{3} [^\n]*\n$", text):
            try:
                got = self.tls.read(16384)
            except ssl.SSLWantReadError:
                octets = self.tcp.recv(16384)
                assert octets, text
                self.incoming.write(octets)
                continue
            text += got
        return text.decode()

    def send(self, line):
        self.tls.write(line.encode() + b"\r\n")
        self.tcp.sendall(self.outgoing.read())

    def say(self, line):
        self.send(line)
        return self.reply()


def plain(login, password):
    return "AUTH PLAIN " + base64.b64encode(f"\0{login}\0{password}".encode()).decode()


def verifiers_of(users):
    """Whatever in the users file is a salt or a hash: as it stands there, and as octets."""
    found = {}
    for token in re.findall(r"[A-Za-z0-9+/]{20,}={0,2}", users.read_text()):
        found[f"text {token}"] = token.encode()
        try:
            octets = base64.b64decode(token + "=" * (-len(token) % 4))
        except ValueError:
            continue
        found[f"octets of {token}"] = octets
    return found


@pytest.fixture
def served(make_server, tmp_path):
    chain, key = make_key(tmp_path, "ec")
    one = make_server(config=f'fronts = 1\ncertificate {{ chain = "{chain}" key = "{key}" }}\n')
    for login, password in PASSWORDS.items():
        done = postern("user", "add", *one.options, login, "--address", f"{login}@example.org", "--password", input=password + "\n")
        assert done.returncode == 0, done.stderr
    one.start()
    yield one, chain, key
    assert one.stop() == 0


def test_a_dump_of_the_front_is_worth_nothing(served):
    one, chain, key = served
    kept = []
    # Half a handshake each: nothing said; signed and answered.
    for _ in range(4):
        kept.append(socket.create_connection((one.host, one.submissions), 20))
        client = Client(one, chain)
        assert client.hello()
        kept.append(client)
    # Two who are in, of whom one has failed before.
    for login, password in PASSWORDS.items():
        client = Client(one, chain)
        assert client.finish().startswith("220")
        client.say("EHLO laptop.example.org")
        if login == "bob":
            assert client.say(plain(login, PASSWORDS["alice"] + "x")).startswith("535")
        assert client.say(plain(login, password)).startswith("235")
        client.say("NOOP")
        kept.append(client)
    users = next(one.state.rglob("users"))
    verifiers, key_octets = verifiers_of(users), secrets_of(key)
    assert len(verifiers) >= 4
    words = {f"password of {login}": password.encode()[4:] for login, password in PASSWORDS.items()}
    words.update({f"password of {login} in base64": base64.b64encode(f"\0{login}\0{password}".encode())[12:-4]
                  for login, password in PASSWORDS.items()})
    memories = {child: memory_of(pid) for child, pid in {**one.children(), "master": one.process.pid}.items()}
    # The search finds what is there.
    assert found_in(memories["signer:0"], key_octets)
    assert found_in(memories["auth:0"], verifiers)
    assert b"alice" in memories["front:0"] and len(memories["front:0"]) > 1 << 20
    for child, memory in memories.items():
        assert not found_in(memory, words), child
        assert child == "signer:0" or not found_in(memory, key_octets), child
        assert child == "auth:0" or not found_in(memory, verifiers), child
    # During: somebody else's password is on its way while we look for those of the ones who are in.
    hasty = Client(one, chain)
    hasty.finish()
    hasty.say("EHLO laptop.example.org")
    hasty.send(plain("carol", "nobody-Anvil-3391-knows-Lettuce-7725"))
    memory = memory_of(one.children()["front:0"])
    assert not found_in(memory, {**words, **verifiers, **key_octets})
    assert hasty.reply().startswith("535")
    for client in kept:
        (client.tcp if isinstance(client, Client) else client).close()
