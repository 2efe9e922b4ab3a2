"""What docs/clients.md tells people to write is run as it stands, with another server, port, key and CA."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from postern_server import POSTERN, ROOT, Server, postern

GUIDE = ROOT / "docs" / "clients.md"
RUN = {title: [tuple(block) for block in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S)]
       for title, text in re.findall(r"^## (.*?) \*\n(.*?)(?=^## )", GUIDE.read_text(), re.M | re.S)}
NEEDS = {"curl": "curl", "msmtp": "msmtp"}


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    one = Server(tmp_path_factory.mktemp("documented"), config="").start()
    assert postern("user", "add", *one.options, "alice", "--address", "alice@example.org").returncode == 0
    done = postern("user", "key", *one.options, "alice", "laptop")
    one.key = re.search(r"[0-9a-z]{4}(?:-[0-9a-z]{4}){6}", done.stdout).group(0)
    yield one
    assert one.stop() == 0


def here(one, text):
    """The same text, for this server."""
    return re.sub(r"mail\.example\.org(\W+)465", rf"localhost\g<1>{one.submissions}", text).replace("host mail.example.org", "host localhost") \
        .replace("port 465", f"port {one.submissions}").replace("/etc/ssl/certs/ca-certificates.crt", str(one.ca))


def test_the_guide_has_what_is_run():
    assert set(RUN) == {"Postern itself", "curl", "Python", "msmtp"} and all(RUN.values())


@pytest.mark.parametrize("title", sorted(RUN))
def test_as_it_stands(gate, tmp_path, title):
    if title in NEEDS and shutil.which(NEEDS[title]) is None:
        pytest.skip(f"{NEEDS[title]} is not installed")
    (tmp_path / "postern").symlink_to(pathlib.Path(POSTERN).resolve())
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path), "KEY": gate.key, "SSL_CERT_FILE": str(gate.ca),
           "CURL_CA_BUNDLE": str(gate.ca)}
    before = len(gate.mails())
    for kind, text in RUN[title]:
        if kind == "msmtprc":
            (tmp_path / ".msmtprc").write_text(here(gate, text))
            (tmp_path / ".msmtprc").chmod(0o600)
            continue
        command = [sys.executable, "-c"] if kind == "python" else ["sh", "-c"]
        done = subprocess.run([*command, here(gate, text)], env=env, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    gate.await_mails(before + 1)
