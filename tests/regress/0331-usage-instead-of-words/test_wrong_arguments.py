"""Whoever calls a command wrongly is told which word is wrong, and with what exit status the man page says."""
import pytest

from postern_server import postern


@pytest.mark.parametrize("arguments, words", [
    (["check", "--bogus"], "not understood: --bogus"),
    (["check", "extra"], "not understood: extra"),
    (["check", "--limits", "extra"], "not understood: extra"),
    (["check", "--explain=1"], "not understood: --explain=1"),
    (["serve", "extra"], "not understood: extra"),
    (["user"], "the verb is missing"),
    (["user", "frob"], "no such verb: frob"),
    (["user", "--json", "list"], "no such verb: --json"),
    (["user", "add"], "add: NAME is missing"),
    (["user", "add", "a", "b"], "add: not understood: b"),
    (["user", "key", "alice"], "key: DEVICE is missing"),
    (["user", "forgive"], "forgive: LOGIN or NETWORK is missing"),
    (["user", "import"], "import: PASSWD-FILE is missing"),
    (["user", "domain"], "domain: the verb is missing"),
    (["user", "list", "--frob"], "not understood: --frob"),
    (["user", "set", "alice"], "nothing to set: --recovery"),
    (["queue", "where", "a@b", "--limit", "0"], "--limit needs a number of messages, 1 to "),
    (["queue", "where", "a@b", "--limit", "99999999"], "--limit needs a number of messages, 1 to "),
    (["queue", "list", "--most"], "--most: needs a value behind it"),
    (["queue", "show", "zzz"], "not a queue id: zzz"),
    (["port", ""], "it is empty"),
])
def test_names_the_word(tmp_path, arguments, words):
    done = postern(*arguments, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert (done.returncode, done.stdout) == (64, ""), done
    assert words in done.stderr.splitlines()[0], done.stderr.splitlines()[0]


def test_help_of_one_command():
    for name in ("serve", "queue", "user", "check", "audit", "port", "send"):
        assert postern("help", name).stdout == postern(name, "--help").stdout
