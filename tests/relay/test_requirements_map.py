"""docs/rfc/requirements-transport.md says the truth: every test that it names is there, and says the row's id itself."""
import fnmatch
import pathlib
import re

import pytest

from test_network import ROWS

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = [[c.strip() for c in line.strip("|\n ").split(" | ")] for line in (ROOT / "docs/rfc/requirements-transport.md").open()
         if re.match(r"\| [a-z0-9]+-\d+", line)]


def file_of(path):
    """"relay/test_sts" is tests/relay/test_sts.py; a regression is the folder that begins so."""
    for place in (ROOT / "tests", ROOT):
        found = [p for end in (".py", ".c", ".smtp") for p in [place / (path + end)] if p.exists()] or sorted(place.glob(path + "-*/*.py"))
        if found:
            return found[0].read_text()
    raise AssertionError(f"there is no {path}")


def named(cell):
    """[(file or "network", [tests in it])]"""
    found = []
    for word in re.sub(r"\(.*?\)", "", cell).replace(", ", " ").split():
        if "/" in word or word == "network":
            found.append((word, []))
        else:
            found[-1][1].append(word)
    # dialog/a, b, c: files of one folder
    return [one for path, tests in found for one in ([(path, [])] + [("dialog/" + t, []) for t in tests] if path.startswith("dialog/") else [(path, tests)])]


@pytest.mark.parametrize("row", TABLE, ids=lambda r: r[0].split()[0])
def test_row_of_the_map(row):
    id, said = row[0].split()[0], 0
    assert named(row[4]), row
    for path, tests in named(row[4]):
        if path == "network":
            ids = {r.name: r.ids for r in ROWS}
            text = " ".join(ids.get(t, "") for t in tests)
            assert all(t in ids or "def test_" + t in file_of("relay/test_network") for t in tests), (path, tests)
        else:
            text = file_of(path)
            names = re.findall(r"^(?:def test_|static void\n(?:test_)?)(\w+)\(", text, re.M)
            assert all(fnmatch.filter(names, t) for t in tests), (path, [t for t in tests if not fnmatch.filter(names, t)])
        said += re.search(rf"(?<![\w-]){id}(?!\d)", text) is not None
    assert said, f"no test of {id} says so"


def test_no_row_is_missing():
    wanted = {"dane": 11, "sts": 11, "8689": 6, "7505": 2}
    assert [r[0].split()[0] for r in TABLE] == [f"{k}-{i}" for k, n in wanted.items() for i in range(1, n + 1)]
