"""A version is spoken by who has an unusual key, or wants an unusual group, as well. RFC 8446 4.2.3, 4.2.7; RFC 8422 5.1.1."""
import json
import socket
import ssl
import subprocess

import pytest

from postern_server import eventually, free_port, postern
from zoo import HOST, Animal, Habits, Papers

V = ssl.TLSVersion


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    return Papers(tmp_path_factory.mktemp("papers"))


def versions(papers, target, tmp_path):
    """What the transcript says of the versions, and the ids of the findings."""
    kept = tmp_path / "kept"
    done = postern("audit", "--json", "--timeout", "1", "--ca-file", papers.ca, "--save", kept, target, timeout=60)
    found = {f["id"] for e in json.loads(done.stdout)["targets"][0]["endpoints"] for f in e["findings"]}
    return {line.partition(" ")[2] for line in kept.read_text().splitlines() if line.startswith("tls-version ")}, found


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("only", [V.TLSv1_3, V.TLSv1_2])
@pytest.mark.parametrize("key", [("ed25519",), ("ed448",), ("rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048")])
def test_keys(papers, tmp_path, key, only):
    chain, private = papers.issue(key[0], key=key)
    with Animal(Habits(chain=chain, key=private, least=only, most=only)) as animal:
        spoken, found = versions(papers, animal.target, tmp_path)
    assert f"TLSv1.{only - V.TLSv1} yes" in spoken, spoken
    assert not found & {"no-tls12", "tls-fails"}


@pytest.mark.parametrize("version, groups", [("1.3", "X448"), ("1.3", "ffdhe2048"), ("1.2", "X448")])
def test_groups(papers, tmp_path, version, groups):
    chain, private = papers.issue("usual", key=("rsa:2048",))
    port = free_port()
    server = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", chain, "-key", private, "-groups", groups,
                               f"-tls1_{version[2]}", "-cipher", "ECDHE+AESGCM", "-quiet"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: listens(port), "s_server")
        spoken, found = versions(papers, f"{HOST}:{port}/submissions", tmp_path)
    finally:
        server.kill()
        server.wait()
    assert f"TLSv{version} yes" in spoken, (spoken, found)
    assert "no-tls12" not in found
