"""--judge reads all of a file, or says that it did not."""
import json

from postern_server import postern

ONE = "postern-audit 1\ntarget {}.example.org\nat 2026-11-22T00:00:00Z\nendpoint 192.0.2.1 465 submissions\nconnect ok 1\n"


def test_more_than_a_mebibyte(tmp_path):
    kept = tmp_path / "kept"
    kept.write_text("".join(ONE.format(i) + f"ehlo-clear {'x' * 900}\n" for i in range(1200)))
    assert kept.stat().st_size > 1024 * 1024
    done = postern("audit", "--json", "--judge", kept)
    targets = json.loads(done.stdout)["targets"]
    assert done.returncode == 0 and len(targets) == 1200 and all(t["examined"] for t in targets)


def test_more_than_is_read(tmp_path):
    kept = tmp_path / "kept"
    with kept.open("w") as out:
        out.write(ONE.format("first") + ONE.format("cut") + "x y\n")
        out.truncate(64 * 1024 * 1024 + 1)      # zeros: a sparse file costs nothing
    done = postern("audit", "--json", "--judge", kept)
    assert done.returncode == 2 and "longer than 64 MiB" in done.stderr
    # What goes on behind the end would be judged wrongly.
    assert [t["target"] for t in json.loads(done.stdout)["targets"]] == ["first.example.org"]


def test_one_that_is_none_of_ours(tmp_path):
    kept = tmp_path / "kept"
    kept.write_text(ONE.format("first") + ONE.format("long") + "x y\n" * 300000 + ONE.format("last"))
    done = postern("audit", "--json", "--judge", kept)
    assert done.returncode == 2 and "more than 1 MiB" in done.stderr
    assert [t["target"] for t in json.loads(done.stdout)["targets"]] == ["first.example.org", "last.example.org"]


def test_nothing_at_all(tmp_path):
    empty = tmp_path / "empty"
    empty.touch()
    done = postern("audit", "--judge", empty)
    assert done.returncode == 2 and "is empty" in done.stderr
    assert postern("audit", "--judge", tmp_path).returncode == 64
