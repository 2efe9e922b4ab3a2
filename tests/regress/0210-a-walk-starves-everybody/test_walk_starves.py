"""While 80,000 messages are being held, somebody else is answered: the first of them is held already, and then the last is not yet."""
import json
import pathlib
import subprocess

from postern_server import POSTERN, postern

FILL = pathlib.Path(POSTERN).parent / "bench" / "fill"
MESSAGES = 80_000


def is_held(one, number):
    done = postern("queue", "show", *one.options, number, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["held"] is not None


def half_way(one, first, last):
    """Was a moment seen at which some were held and some were not?"""
    hold = subprocess.Popen([POSTERN, "queue", "hold", *one.options, "--principal", "alice"], stdout=subprocess.DEVNULL)
    seen = False
    while hold.poll() is None and not seen:
        seen = is_held(one, first) and not is_held(one, last)
    assert hold.wait(60) == 0
    return seen


def test_others_are_answered_meanwhile(make_server):
    one = make_server(config='relay = "mx"\ndns-server = "127.0.0.1@9"\nfronts = 1\n')
    one.state.mkdir(mode=0o700)
    subprocess.run([FILL, one.state / "spool", str(MESSAGES), "size=100"], check=True, capture_output=True)
    one.start()
    shown = postern("queue", "list", *one.options).stdout.splitlines()
    first, last = shown[1].split()[0], shown[MESSAGES].split()[0]
    for _ in range(8):
        if half_way(one, first, last):
            break
        done = postern("queue", "release", *one.options, "--principal", "alice")
        assert done.returncode == 0, done.stderr
    else:
        raise AssertionError("nobody was answered while the queue was walked")
    assert one.stop() == 0
