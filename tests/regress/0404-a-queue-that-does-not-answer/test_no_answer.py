"""`postern queue` says that it waits, and for what, and is answered all the same when the server is there again."""
import os
import signal
import subprocess
import time

from postern_server import POSTERN


def test_it_is_said(make_server):
    one = make_server(config="").start()
    spool = one.children()["spool:0"]
    os.kill(spool, signal.SIGSTOP)
    try:
        asked = subprocess.Popen([POSTERN, "queue", *one.options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(2.6)
        os.kill(spool, signal.SIGCONT)
        said, words = asked.communicate(timeout=20)
    finally:
        os.kill(spool, signal.SIGCONT)
    assert asked.returncode == 0 and said == "0 messages, 0 octets\n"
    assert words.count("\n") == 1 and "does not answer yet" in words and "spool-start" in words, words
    assert one.stop() == 0
