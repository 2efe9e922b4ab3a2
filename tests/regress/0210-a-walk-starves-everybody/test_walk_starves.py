"""While 100,000 messages are being held, somebody else is answered: he sees some of them held and some not."""
import pathlib
import subprocess

from postern_server import POSTERN, postern

FILL = pathlib.Path(POSTERN).parent / "bench" / "fill"
MESSAGES = 100_000


def retried(process):
    """How many messages `queue retry all` has found that are not held."""
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return int(out.split(":")[1].split()[0])


def test_others_are_answered_meanwhile(make_server):
    one = make_server(config='relay = "mx"\ndns-server = "127.0.0.1@9"\nfronts = 1\n')
    one.state.mkdir(mode=0o700)
    subprocess.run([FILL, one.state / "spool", str(MESSAGES), "size=100"], check=True, capture_output=True)
    one.start()
    seen = []
    for _ in range(8):
        hold = subprocess.Popen([POSTERN, "queue", "hold", *one.options, "--principal", "alice"], stdout=subprocess.DEVNULL)
        asked = [subprocess.Popen([POSTERN, "queue", "retry", *one.options, "all"], stdout=subprocess.PIPE, text=True) for _ in range(6)]
        seen += [retried(process) for process in asked]
        assert hold.wait(60) == 0
        if any(0 < count < MESSAGES for count in seen):
            break
        done = postern("queue", "release", *one.options, "--principal", "alice")
        assert done.returncode == 0, done.stderr
    assert any(0 < count < MESSAGES for count in seen), seen
    assert one.stop() == 0
