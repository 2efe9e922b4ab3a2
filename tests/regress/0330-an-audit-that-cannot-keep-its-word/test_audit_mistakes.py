"""A mistake in the arguments of `postern audit` is told at once, in one line that names it, before anybody is connected to."""
import pytest

from postern_server import free_port, postern

NOBODY = f"127.0.0.1:{free_port()}/smtp"


@pytest.mark.parametrize("arguments, named", [
    (["--save", "/nonexistent/kept"], "/nonexistent/kept: No such file or directory"),
    (["--watch", "/nonexistent/kept"], "/nonexistent/kept: No such file or directory"),
    (["--save", "/"], "/: Is a directory"),
    (["--resolver", "dns.example.org"], "--resolver dns.example.org: "),
    (["--resolver", "127.0.0.1@0"], "--resolver 127.0.0.1@0: "),
    (["--resolver", "127.0.0.1@53x"], "--resolver 127.0.0.1@53x: "),
    (["--trust-anchor", "/nonexistent/key"], "/nonexistent/key: No such file or directory"),
    (["--ca-file", "/nonexistent/ca"], "/nonexistent/ca"),
    (["--timeout", "0"], "--timeout 0: is no number of 1 to 120"),
    (["--parallel", "x"], "--parallel x: is no number of 1 to 64"),
    (["--fail", "worst"], "--fail worst: "),
    (["--bogus"], "--bogus: no such option"),
    (["--details", "--resolver"], "--resolver: needs a value behind it"),
    (["--policy", "/nonexistent/policy"], "/nonexistent/policy: No such file or directory"),
    (["--hosts", "/nonexistent/hosts"], "/nonexistent/hosts: No such file or directory"),
])
def test_at_once(arguments, named):
    done = postern("audit", NOBODY, *arguments)
    assert done.returncode == 64, done
    assert done.stdout == "" and done.stderr.startswith("postern audit: ") and named in done.stderr
    assert done.stderr.count("\n") <= 2, done.stderr


def test_a_disk_that_is_full():
    """Devices that are full can be written only with errors: what was not kept is not kept with status 0."""
    done = postern("audit", "--save", "/dev/full", NOBODY)
    assert done.returncode == 2 and "/dev/full: No space left on device" in done.stderr


def test_a_resolver_with_a_port():
    done = postern("audit", "--timeout", "1", "--resolver", "127.0.0.1@10053", NOBODY)
    assert done.returncode == 2 and done.stderr == ""
