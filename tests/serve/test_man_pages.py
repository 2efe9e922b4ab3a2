"""What the man pages say is what the program knows: every option of every subcommand is in its code, its --help and its page, and told of there."""
import pathlib
import re

import pytest

from postern_server import postern

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGES = {"serve": "postern-serve.8", "send": "postern-send.1", "queue": "postern-queue.1", "user": "postern-user.1",
         "check": "postern-check.1", "audit": "postern-audit.1", "port": "postern-port.1"}
# Of processes that the master starts, of formats without an option, and one that is known to be refused with words.
NOBODYS = {"serve": {"role", "slot"}, "audit": {"nothing", "text"}, "send": {"password"}}
SETTINGS = ("serve", "queue", "user", "check")      # take --config, --state, --set


def page_of(command):
    return (ROOT / "docs" / "man" / PAGES[command]).read_text()


def options_of_page(text):
    """mdoc: ".Fl -name", ".Fl Fl name"."""
    return set(re.findall(r"Fl (?:Fl |-)([a-z][a-z0-9-]+)", text))


def options_of_code(command):
    sources = sorted((ROOT / "src" / "cmd").glob(f"{command}*.c"))
    if command in SETTINGS:
        sources.append(ROOT / "src" / "cmd" / "settings.c")
    text = "".join(path.read_text() for path in sources)
    pattern = r'\{ "([a-z-]+)", (?:required|no)_argument' if command == "send" else r'"--([a-z][a-z0-9-]*)"'
    return set(re.findall(pattern, text)) - {"help"} - NOBODYS.get(command, set())


@pytest.mark.parametrize("command", PAGES)
def test_options(command):
    done = postern(command, "--help")
    assert done.returncode == 0 and done.stderr == ""
    of_help, of_code, page = set(re.findall(r"--([a-z][a-z0-9-]*)", done.stdout)), options_of_code(command), page_of(command)
    assert of_help == of_code and options_of_page(page) == of_code


@pytest.mark.parametrize("command", PAGES)
def test_options_are_told_of(command):
    """In the synopsis alone nobody learns what an option is for."""
    page = page_of(command)
    told = options_of_page(page[page.index(".Sh DESCRIPTION"):])
    assert told == options_of_code(command), options_of_code(command) - told


def test_subcommands():
    listed = set(re.findall(r"^    ([a-z]+) ", postern("help").stdout, re.M))
    assert set(PAGES) | {"sendmail", "help", "version"} == listed
    page = (ROOT / "docs" / "man" / "postern.1").read_text()
    assert not {name for name in listed if not re.search(rf"\b{name}\b", page)}
