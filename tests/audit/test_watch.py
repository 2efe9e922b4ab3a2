"""--watch: the first time everything, then only what has changed, and what comes to its end each time."""
from postern_server import postern
from test_zoo import day
from zoo import Animal, Habits


def watch(papers, animal, state, status=0):
    done = postern("audit", "--timeout", "2", "--ca-file", papers.ca, "--watch", state, animal.target, timeout=60)
    assert done.returncode == status, done
    return [line for line in done.stdout.splitlines() if "127.0.0.1" in line or not line.startswith(" ") or "nothing" in line]


def test_only_what_has_changed(papers, tmp_path):
    chain, key = papers.issue("watch")
    state = tmp_path / "state"
    with Animal(Habits(chain=chain, key=key)) as animal:
        first = watch(papers, animal, state)
        assert "seen for the first time" in first[0] and any("[greeting-name]" in line for line in first)
        assert "nothing has changed" in watch(papers, animal, state)[-1]
        animal.habits.vrfy_reply = "550 5.1.1 no such user"
        changed = watch(papers, animal, state)
        assert len(changed) == 2 and "  + low" in changed[1] and "[vrfy]" in changed[1]
        animal.habits.vrfy_reply = "252 2.0.0 perhaps"
        assert "  - low" in watch(papers, animal, state)[1]
    # Away is no change: what was known stays known.
    assert "could not be examined" in watch(papers, animal, state, status=2)[0]
    assert b"greeting 220" in state.read_bytes()


def test_an_end_that_comes_nearer_is_told_each_time(papers, tmp_path):
    chain, key = papers.issue("watch-ends", dates=(day(-60), day(3)))
    with Animal(Habits(chain=chain, key=key)) as animal:
        watch(papers, animal, tmp_path / "state")
        assert any("  ! medium" in line and "[cert-ends-soon]" in line for line in watch(papers, animal, tmp_path / "state"))


def test_what_is_no_state(tmp_path):
    assert postern("audit", "--watch", tmp_path, "localhost").returncode == 64
    assert postern("audit", "--watch", tmp_path / "state", "--json", "localhost").returncode == 64
