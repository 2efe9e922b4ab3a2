"""Where no thread can be made a server says so, and what to do: it used to end with SIGABRT and without a word, at the first work that wanted one."""
import re


def test_said_in_words(make_server):
    # No process has room for stacks of 4 TiB.
    one = make_server(config="").launch(prefix=["sh", "-c", 'ulimit -s 4294967296 && exec "$0" "$@"'])
    try:
        event = one.await_event("threads")
        assert re.search("RLIMIT_NPROC|TasksMax", event["remedy"]) and event["why"], event
    finally:
        one.process.terminate()
        one.process.wait(20)
    assert "signal=6" not in one.log.read_text()
