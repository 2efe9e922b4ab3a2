"""Where private keys are: in 2_signer's memory, and in no other process's. Reads /proc/PID/mem, so it wants root or a kind kernel."""
import base64
import os
import re
import signal
import socket
import ssl
import subprocess

import pytest
from postern_server import eventually, postern


def make_key(folder, kind):
    """A self-signed certificate for KIND.example.org with its key: (chain, key)."""
    how = {"rsa": ["rsa:2048"], "ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "ed25519": ["ed25519"]}[kind]
    chain, key = folder / f"{kind}.pem", folder / f"{kind}-key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", *how, "-nodes", "-days", "90", "-subj", f"/CN={kind}.example.org",
                    "-addext", f"subjectAltName=DNS:{kind}.example.org", "-keyout", str(key), "-out", str(chain)],
                   check=True, capture_output=True)
    return chain, key


def secrets_of(key):
    """The octets to look for: the secret numbers in both orders (OpenSSL keeps the low limb first), DER, lines of the PEM text."""
    lines = key.read_bytes().split(b"\n")
    shown = subprocess.run(["openssl", "pkey", "-in", str(key), "-noout", "-text"], check=True, capture_output=True, text=True).stdout
    # Of the text a piece that lies within the secret: the private exponent of RSA, the scalar of the others.
    found = {"DER": base64.b64decode(b"".join(lines[1:-2])), "PEM": lines[len(lines) // 2 if len(lines) > 8 else 1][-16:]}
    for label, digits in re.findall(r"^(priv|privateExponent|prime1|prime2|exponent1|exponent2|coefficient):\n((?: +[0-9a-f:]+\n)+)",
                                    shown, re.M):
        number = bytes.fromhex(re.sub(r"[\s:]", "", digits)).lstrip(b"\0")
        found[label], found[f"{label}, low octet first"] = number, number[::-1]
    assert len(found) >= 4, shown
    return found


def memory_of(pid):
    """All of a process that can be written to, octet for octet."""
    regions = []
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            start, end, rights = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
            # What is that large is a sanitizer's shadow.
            if not rights.startswith("rw") or int(end, 16) - int(start, 16) > 1 << 28:
                continue
            try:
                memory.seek(int(start, 16))
                regions.append(memory.read(int(end, 16) - int(start, 16)))
            except OSError:
                continue
    return b"\0".join(regions)


def shake(one, name, chain, version=None):
    context = ssl.create_default_context(cafile=str(chain))
    if version is not None:
        context.maximum_version = version
    with socket.create_connection((one.host, one.submissions), 10) as tcp, \
            context.wrap_socket(tcp, server_hostname=f"{name}.example.org") as tls:
        assert tls.recv(200).startswith(b"220 ")
        tls.sendall(b"EHLO laptop.example.org\r\n")
        assert b"250" in tls.recv(2000)


def shake_all(one, keys):
    for _ in range(6):
        for kind, (chain, _) in keys.items():
            shake(one, kind, chain)
            shake(one, kind, chain, ssl.TLSVersion.TLSv1_2)


def found_in(memory, secrets):
    return [label for label, octets in secrets.items() if octets in memory]


@pytest.fixture
def served(make_server, tmp_path):
    keys = {kind: make_key(tmp_path, kind) for kind in ("ec", "rsa", "ed25519")}
    config = "".join(f'certificate {{ chain = "{chain}" key = "{key}" }}\n' for chain, key in keys.values())
    one = make_server(config=config)
    assert postern("user", "domain", "add", "example.org", *one.options).returncode == 0
    one.start()
    yield one, keys
    assert one.stop() == 0


def test_only_the_signer_has_the_keys(served):
    one, keys = served
    shake_all(one, keys)
    try:
        # 0_master has read the files, handed them on and forgotten them.
        memories = {child: memory_of(pid) for child, pid in {**one.children(), "master": one.process.pid}.items()}
        assert all(memories.values())
    except (PermissionError, AssertionError):
        pytest.skip("not allowed to read another process's memory")
    secrets = {kind: secrets_of(key) for kind, (_, key) in keys.items()}
    # Those that sign mail too.
    secrets.update({pem.name: secrets_of(pem) for pem in (one.state / "dkim" / "example.org").glob("*.pem")})
    assert len(secrets) == len(keys) + 2
    for kind, all_of_it in secrets.items():
        # Or the search itself would be worth nothing.
        assert found_in(memories["signer:0"], all_of_it), f"the signer does not seem to have the {kind} key"
        for child, memory in memories.items():
            if child != "signer:0":
                assert not found_in(memory, all_of_it), f"{child} has the {kind} key"


def test_a_dead_signer_is_replaced_and_gets_the_keys_again(served):
    one, keys = served
    with socket.create_connection((one.host, one.submissions), 10) as tcp, \
            ssl.create_default_context(cafile=str(keys["ec"][0])).wrap_socket(tcp, server_hostname="ec.example.org") as tls:
        assert tls.recv(200).startswith(b"220 ")
        before = one.children()["signer:0"]
        os.kill(before, signal.SIGKILL)
        one.await_event("child-ready", child="signer")

        def shakes():
            try:
                shake_all(one, keys)
            except (ssl.SSLError, ConnectionError):
                return False
            return True

        eventually(shakes, "handshakes with the next signer")
        assert one.children()["signer:0"] != before
        # Who was in keeps his session.
        tls.sendall(b"NOOP\r\n")
        assert tls.recv(200).startswith(b"250 ")
    # And it learns of new certificates.
    one.hup()
    one.await_event("reloaded")
    one.await_event("certificate-proved")
    shake_all(one, keys)


def test_a_reload_while_the_signer_is_away_is_not_lost(served, tmp_path):
    one, keys = served
    os.kill(one.children()["signer:0"], signal.SIGKILL)
    folder = tmp_path / "next"
    folder.mkdir()
    chain, key = make_key(folder, "ec")
    os.replace(key, keys["ec"][1])
    os.replace(chain, keys["ec"][0])
    one.hup()

    def serves_the_new_one():
        try:
            shake(one, "ec", keys["ec"][0])
        except (ssl.SSLError, ConnectionError):
            return False
        return True

    one.await_event("reloaded")
    eventually(serves_the_new_one, "the new certificate")
    one.await_event("certificate-proved")
