"""Who put a message off, and who gave it up."""
import pathlib
import socket
import sys

from postern_server import eventually, postern

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "serve"))
from test_history import LATER, NEVER, submit, with_hop  # noqa: E402


def said(one, ident, words):
    return eventually(lambda: (out := postern("queue", "where", ident, *one.options).stdout) and words in out and out, words)


def test_given_up_is_not_refused(make_server):
    one = with_hop(make_server, 'retry-max = "1 s"\nexpire = "3 s"\n', never=NEVER, later=LATER)
    never, later = submit(one, "never@example.net"), submit(one, "later@example.net")
    assert "refused by" in said(one, never, "550 5.1.1")
    words = said(one, later, "(expired)")
    assert "put off by" in words and "given up at" in words and "refused by" not in words, words


def test_not_reached_is_not_put_off_by_it(make_server):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        one = make_server(config=f'relay = "smtp://127.0.0.1:{nobody.getsockname()[1]}"\n').start()
        one.add_key()
        assert "put off at" in said(one, submit(one, "b@example.net"), "cannot connect")
