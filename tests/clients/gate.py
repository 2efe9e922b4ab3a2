"""A running server that a whole file of tests shares, and the mail that has come through it."""
import pathlib
import re
import socket
import tempfile

import pytest

import mailers
from postern_server import Server, eventually, make_certificate
from letters import LOGIN, SENDER, letter

TRACE = re.compile(rb"Return-Path: <(?P<path>[^>\n]*)>\n(?P<to>(?:Delivered-To: [^\n]+\n)+)Received: (?P<received>[^\n]+\n(?:[ \t][^\n]*\n)+)")


class Gate:
    """A server, a sender key for alice, and the Maildir read as it fills."""

    def __init__(self, folder, config=None):
        self.folder, self.read = folder, {}
        self.server = Server(folder, config).start()
        self.server.add_key(LOGIN, SENDER)
        self.password = self.server.key

    def close(self):
        assert self.server.events("child-ended") == []
        assert self.server.stop() == 0

    def door(self, service="submissions", **more):
        port = self.server.submissions if service == "submissions" else self.server.submission
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        return mailers.Door(**{"folder": folder, "service": service, "port": port, "ca": self.server.ca, "login": LOGIN,
                               "password": self.password, **more})

    def mails(self):
        new = self.server.maildir / "new"
        for path in new.iterdir() if new.is_dir() else []:
            if path.name not in self.read:
                self.read[path.name] = path.read_bytes()
        return list(self.read.values())

    def find(self, mark):
        return [m for m in self.mails() if mark.encode() in m.partition(b"\n\n")[0]]

    def arrived(self, sent):
        """The one mail with this letter's mark: its trace fields, and the rest."""
        mail = eventually(lambda: self.find(sent.mark), f"the arrival of {sent.mark}")[0]
        trace = TRACE.match(mail)
        assert trace, mail[:400]
        return trace, mail[trace.end():]

    def nothing_arrives(self, submit):
        """What submit() says, after proof that no mail came through meanwhile: a letter sent behind it is the only new one."""
        before = len(self.mails())
        done = submit()
        control = letter()
        assert mailers.python(self.door(), control).status == 0
        self.arrived(control)
        assert len(self.mails()) == before + 1, [m[:300] for m in self.mails()[before:]]
        return done


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    """A server without a configuration; its certificate is for postern.localhost, localhost and 127.0.0.1."""
    one = Gate(tmp_path_factory.mktemp("gate"))
    yield one
    one.close()


@pytest.fixture(scope="module")
def other_name(tmp_path_factory):
    """A server whose certificate is good for elsewhere.example alone."""
    folder = tmp_path_factory.mktemp("other")
    chain, key = make_certificate(folder, "elsewhere.example")
    one = Gate(folder, f'certificate {{ chain = "{chain}" key = "{key}" }}\n')
    one.server.ca = chain
    with socket.create_connection((one.server.host, one.server.submissions), 20) as tcp, \
            one.server.context().wrap_socket(tcp, server_hostname="elsewhere.example"):
        pass
    yield one
    one.close()


@pytest.fixture(scope="session")
def other_ca(tmp_path_factory):
    """A CA that has signed nothing here."""
    return make_certificate(tmp_path_factory.mktemp("ca"), "nobody.example")[0]
