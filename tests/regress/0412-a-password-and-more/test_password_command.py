"""What a password-command may do besides writing a password. cli-5."""

import base64

import pytest

from postern_server import make_certificate
from scripted_server import ScriptedServer, submit


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"), "localhost")


def ask(tmp_path, tls, command, *arguments, **more):
    script = tmp_path / "ask"
    script.write_text(command)
    with ScriptedServer(offers=["AUTH PLAIN"], tls=tls) as server:
        done = submit(tmp_path, server, *arguments, account=f'password-command = "sh {script}"', **more)
    proofs = [line.split(" ")[2] for session in server.sessions for line in session if line.startswith("AUTH ")]
    return done, [base64.b64decode(p) for p in proofs], server


@pytest.mark.parametrize("command", ["echo secret; sleep 0.2; echo login: alice; echo notes", "echo secret; yes", "echo secret; yes | head -c 3000000",
                                     "echo secret; exec sh -c 'sleep 0.2; exec yes'", "sleep 60 2> /dev/null & echo secret", "printf secret", "printf 'secret\\r\\n'"])
def test_the_first_line_counts(tmp_path, tls, command):
    done, proofs, server = ask(tmp_path, tls, command, "a@example.net", input=b"x\n")
    assert done.returncode == 0 and proofs == [b"\0alice\0secret"] and len(server.messages) == 1, done


@pytest.mark.parametrize("command, words", [("echo secret; exit 3", "3"), ("exit 3", "3"), ("echo; echo secret", "0"), ("true", "0"),
                                            ("echo secret; kill -9 $$", "137"), ("echo why it fails >&2; exit 1", "why it fails")])
def test_what_fails(tmp_path, tls, command, words):
    done, proofs, _ = ask(tmp_path, tls, command, "a@example.net", input=b"x\n")
    assert done.returncode == 78 and not proofs and words in done.stderr.decode(), done


def test_the_program_at_the_pipe_is_not_for_it(tmp_path, tls):
    talk = b"EHLO here\r\nMAIL FROM:<alice@example.org>\r\nRCPT TO:<a@example.net>\r\nDATA\r\nFrom: alice@example.org\r\n\r\nx\r\n.\r\nQUIT\r\n"
    done, proofs, server = ask(tmp_path, tls, "cat > /dev/null; echo secret", "-bs", input=talk)
    assert proofs == [b"\0alice\0secret"] and len(server.messages) == 1, done
