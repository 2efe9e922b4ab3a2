"""A message whose record is damaged, envelope and all: the log says which one, from whom as far as that can be read, and what to do. 3461-9"""
import json
import pathlib
import sys

from postern_server import eventually, free_port, postern

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "serve"))
from test_history import only, submit, where  # noqa: E402


def spoil(one, mark, whole=False):
    """These octets, or all of the record that they lie in up to them: then what stands in front of the record names its message."""
    [log] = [p for p in (one.state / "spool").glob("*.log") if mark in p.read_bytes()]
    octets = log.read_bytes()
    end = octets.index(mark) + len(mark)
    begin = octets.rindex(b"PSTL", 0, end) if whole else end - len(mark)
    log.write_bytes(octets[:begin] + b"\xa5" * (end - begin) + octets[end:])


def test_what_is_known_is_said(make_server):
    hop = f"smtp://127.0.0.1:{free_port()}"
    one = make_server(config=f'relay = "{hop}"\nduplicate-window = "1 h"\n').start()
    one.add_key()
    ids = [submit(one, "b@example.net", subject=s) for s in ("first", "second", "third", "dropped", "last")]
    assert postern("queue", "drop", ids[3], *one.options).returncode == 0
    eventually(lambda: where(one, ids[4]), "the history")
    assert one.stop() == 0
    spoil(one, b"Subject: first", whole=True)
    spoil(one, b"Subject: second")
    spoil(one, b"Subject: dropped")             # what is finished is not lost
    one.start()
    one.await_event("lost", count=2)
    said = {e["id"]: e for e in one.events("lost")}
    assert set(said) == set(ids[:2]), said
    assert said[ids[1]]["from"] == f"a@{one.hostname}" and said[ids[1]]["login"].startswith("demo"), said
    for e in said.values():
        assert (one.state / "spool" / e["file"]).exists() and "damaged" in e["why"] and "again" in e["do"], e
    for ident in ids[:2]:
        eventually(lambda who=ident: only(one, who)["to"][0]["state"] == "lost", "its end")
    assert {r["id"] for r in json.loads(postern("queue", "--json", *one.options).stdout)} == {ids[2], ids[4]}
    assert one.stop() == 0
    one.start()
    assert len(one.events("lost")) == 2
    assert one.stop() == 0
