"""sendmail -bs hands REQUIRETLS on, or refuses the message. 8689-1 8689-2."""

import os
import socket
import ssl
import subprocess
import threading

import pytest

from postern_server import POSTERN


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    at = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", at, "-out", str(at) + ".crt",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"], check=True, capture_output=True)
    with open(at, "a") as both, open(str(at) + ".crt") as public:
        both.write(public.read())
    return str(at)


def serve(listener, context, offers, heard):
    conn, _ = listener.accept()
    if context is not None:
        conn = context.wrap_socket(conn, server_side=True)
    with conn, conn.makefile("rwb", buffering=0) as talk:
        talk.write(b"220 here\r\n")
        in_data = False
        for line in iter(talk.readline, b""):
            line = line.rstrip(b"\r\n").decode()
            if in_data:
                in_data = line != "."
                if not in_data:
                    talk.write(b"250 2.0.0 taken\r\n")
                continue
            heard.append(line)
            verb = line.split(" ")[0]
            in_data = verb == "DATA"
            talk.write({"EHLO": b"250-here\r\n" + offers + b"250 PIPELINING\r\n", "DATA": b"354 go\r\n",
                        "QUIT": b"221 2.0.0 bye\r\n"}.get(verb, b"250 2.0.0 ok\r\n"))
            if verb == "QUIT":
                return


def submit(tmp_path, certificate, tls, offers):
    heard, context = [], None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        scheme, host = ("submissions", "localhost") if tls else ("smtp", "127.0.0.1")
        accounts = tmp_path / "accounts"
        accounts.write_text(f'account default {{ server = "{scheme}://{host}:{listener.getsockname()[1]}"\nca = "{certificate}.crt" }}\n')
        accounts.chmod(0o600)
        server = threading.Thread(target=serve, args=(listener, context, offers, heard), daemon=True)
        server.start()
        done = subprocess.run([POSTERN, "sendmail", "-bs", "-C", str(accounts)], input="\r\n".join([
            "EHLO here.example.org", "MAIL FROM:<alice@example.org> REQUIRETLS", "RCPT TO:<a@example.net>", "DATA", "From: alice@example.org",
            "", "hello", ".", "QUIT"]) + "\r\n", capture_output=True, text=True, timeout=20, env=dict(os.environ, HOME=str(tmp_path)))
        server.join(10)
    return done.stdout.splitlines(), heard


def test_who_offers_it_is_asked_for_it(tmp_path, certificate):
    said, heard = submit(tmp_path, certificate, True, b"250-REQUIRETLS\r\n")
    assert said[-2].startswith("250 ")
    assert [line for line in heard if line.startswith("MAIL")][0].split(" ")[-1] == "REQUIRETLS"


@pytest.mark.parametrize("tls, offers", [(True, b""), (False, b"250-REQUIRETLS\r\n")], ids=["not-offered", "in-clear"])
def test_who_does_not_gets_nothing(tmp_path, certificate, tls, offers):
    said, heard = submit(tmp_path, certificate, tls, offers)
    assert said[-2][0] == "5", said
    assert not [line for line in heard if line.startswith(("MAIL", "DATA"))]
