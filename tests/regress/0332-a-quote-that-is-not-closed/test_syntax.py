"""What is wrong with the text of a configuration is told with its line, and with what would be right."""
import pytest

from postern_server import postern


@pytest.mark.parametrize("text, line, words", [
    ('hostname = "mx.example.org\nsize-max = 1 MiB\n', 1, "the quote that begins here is never closed"),
    ('# it\'s a comment\nhostname = "mx.example.org"\npostmaster = \'a@example.org\n\n', 3, "the quote that begins here is never closed"),
    ('hostname = "mx.example.org\nproxy = "10.0.0.0/8"\n', 1, "the quote that begins here is never closed"),
    ('hostname = "mx.example.org"\n/* begun\n', 2, "the comment that begins here is never closed"),
    ('hostname = "mx.example.org"\ncertificate = "x"\n', 2, 'right would be certificate { chain = "FILE" key = "FILE" }'),
    ('hostname = "mx.example.org"\n= 5\n', 2, 'right would be KEY = "VALUE"'),
    ('hostname = "mx.example.org"\nsession-idle = "5 min"\n', 2, "`postern check --explain` lists them all"),
    ('hostnam = "mx.example.org"\n', 1, 'no such key; right would be "hostname"'),
])
def test_syntax(tmp_path, text, line, words):
    conf = tmp_path / "c.conf"
    conf.write_text(text)
    done = postern("check", "--config", conf, "--state", tmp_path)
    assert done.returncode == 78 and done.stdout == ""
    assert done.stderr.startswith(f"postern check: {conf}:{line}: ") and words in done.stderr, done.stderr


def test_quotes_that_are_closed(tmp_path):
    conf = tmp_path / "c.conf"
    conf.write_text("# it's a comment\nhostname = 'mx.example.org' // \"\npostmaster = \"a\\\"b@example.org\" /* ' */\n")
    done = postern("check", "--config", conf, "--state", tmp_path)
    assert "never closed" not in done.stderr
