from __future__ import annotations

import os
import signal
import subprocess
import sys
from io import StringIO

import pytest
from rich.console import Console

from parse_dfl.cli import main
from parse_dfl.cli.node import _Log
from parse_dfl.cli.node_status import show, status_table
from parse_dfl.config.node import load_agent_file
from parse_dfl.errors import ConfigError, IdentityError
from parse_dfl.peers.certificates import create_ca, issue
from parse_dfl.peers.identity import load_identity
from parse_dfl.peers.round_sync import RoundStats, Stop
from parse_dfl.peers.status import RoundReport
from parse_dfl.runs.folder import locked
from parse_dfl.text import name_key

DEFAULTS = ("--defaults", "--name", "a", "--modalities", "top+bottom", "--data", "digits")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def identity_of(file):
    """The identity that an agent's file names."""
    return load_identity(
        file.node.name, federation=file.node.federation, certificates=file.certificates
    )


def test_init_writes_a_file_that_the_node_can_read(tmp_path, capsys):
    argv = ["--connect", "site-b:7447,site-c:7447", "--rounds", "9", "--topology", "full"]
    assert main(["node", "init", "a.toml", *DEFAULTS, *argv]) == 0
    assert capsys.readouterr().out == (
        "a.toml written; start the agent with: parse-dfl node a.toml\n"
    )
    file = load_agent_file(tmp_path / "a.toml")
    assert file.modalities == ("bottom", "top")
    assert file.listen == ("0.0.0.0:7447",)
    assert file.node.connect == ("site-b:7447", "site-c:7447")
    assert (file.run.training.rounds, str(file.run.overlay.topology)) == (9, "full")
    assert not file.run.peer.insecure
    assert file.folder == tmp_path / "a"
    assert main(["node", "init", "a.toml", *DEFAULTS]) == 2
    assert main(["node", "init", "a.toml", *DEFAULTS, "--overwrite"]) == 0


def test_init_asks_what_is_not_given(tmp_path, monkeypatch):
    answers = iter(["a", "top", "digits", "certs", "", "site-b:7447", "", "", ""])
    monkeypatch.setattr("builtins.input", lambda question: next(answers))
    assert main(["node", "init", "a.toml"]) == 0
    file = load_agent_file(tmp_path / "a.toml")
    assert (file.node.name, file.node.certificates) == ("a", "certs")
    assert (file.run.method, file.run.training.rounds) == ("parse", 100)


def test_insecure_is_asked_for_and_stays_on_loopback(tmp_path):
    assert main(["node", "init", "a.toml", *DEFAULTS, "--insecure"]) == 0
    file = load_agent_file(tmp_path / "a.toml")
    assert file.run.peer.insecure
    assert file.listen == ("127.0.0.1:7447",)
    assert identity_of(file).name == "a"


BASE = '[node]\nname = "a"\nmodalities = "top"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks name; parse-dfl node init AGENT.toml writes a whole file"),
        ('[node]\nname = "a"\n', "lacks modalities"),
        (BASE, "certificates and insecure = true: neither given"),
        (BASE + 'certificates = "x"\n[peer]\ninsecure = true\n', "insecure = true: both given"),
        (BASE + 'nmae = "b"\n', r"unknown setting 'nmae' in \[node\]; did you mean 'name'"),
        (BASE + 'certificates = "x"\nlisten = ["7447"]\n', "'7447' is no address; write HOST:PORT"),
        (
            BASE + 'certificates = "x"\n[training]\ndtype = "bfloat16"\n',
            "'bfloat16' does not cross the network; use float32",
        ),
        (BASE + 'certificates = "x"\nwait_for = 0\n', "wait_for must be at least 1, not 0"),
        (BASE + 'certificates = "x"\n[peer]\npace = "slow"\n', "unknown pace 'slow'"),
        (BASE + 'certificates = "x"\n[peer]\ndeadline_s = 0\n', "deadline_s must be above 0"),
        (
            BASE + 'certificates = "x"\n[peer]\nleast_round_s = -1\n',
            "least_round_s must be at least 0, not -1",
        ),
        ("x = [", "is no TOML file"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(text, message, tmp_path):
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_agent_file(path)


def test_words_that_are_no_file_are_explained(capsys):
    assert main(["node", "start", "a.toml"]) == 2
    assert "write parse-dfl node [init | status] AGENT.toml" in capsys.readouterr().err
    assert main(["node", "a.toml"]) == 2
    assert "cannot read a.toml" in capsys.readouterr().err


def test_another_agents_certificate_is_refused(tmp_path):
    create_ca(tmp_path / "ca", federation="demo", days=9)
    issue(tmp_path / "ca", "b", hosts=["x"], days=5, out=tmp_path)
    (tmp_path / "a.toml").write_text(BASE + 'certificates = "b"\n')
    with pytest.raises(IdentityError, match="is of 'b', the file names the agent 'a'"):
        identity_of(load_agent_file(tmp_path / "a.toml"))


def test_the_first_signal_is_remembered_a_second_ends(capsys):
    from parse_dfl.cli.node import _stopping_on_signals

    stop = Stop()
    with _stopping_on_signals(stop):
        signal.raise_signal(signal.SIGHUP)
        assert stop.due(0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


def test_an_agent_that_runs_already_is_not_started_again(tmp_path, capsys):
    assert main(["node", "init", "a.toml", *DEFAULTS, "--insecure"]) == 0
    (tmp_path / "a").mkdir()
    with locked(tmp_path / "a"):
        assert main(["node", "a.toml"]) == 2
    assert f"a is in use by process {os.getpid()} on" in capsys.readouterr().err


def test_a_line_a_round():
    traffic = RoundStats(
        round=3,
        payload_bytes={},
        neighbours={"a/backbone": ["x", "y"], "any/redundant": ["x"]},
        rounds={},
        lockstep_lead=1,
        missing={"y"},
    )
    report = RoundReport(
        round=3, rounds=9, seconds=0.5, stats=traffic, sent_bytes=1200, received_bytes=0,
        refused=2, scores={"accuracy": 0.5},
    )  # fmt: skip
    assert str(report) == (
        "round 3/9  0.50 s  2 neighbours  sent 1.2 kB  received 0.0 kB  missing y  refused 2  "
        "accuracy 50.0 %"
    )


TOLD = {
    "round": 3,
    "rounds": 9,
    "modalities": ["a", "b"],
    "neighbours": {"a/backbone": ["x", "y"]},
    "staleness": {"x": 2, "y": 0},
    "missing": ["y"],
    "sent_bytes": 1_000_000,
    "received_bytes": 0,
    "validator": {"refused": {"y": {"values": 3}}, "unverified": {}},
    "accuracy": 0.5,
}


def test_the_status_table_has_a_row_a_peer():
    table = status_table({"me": TOLD})
    cells = [str(next(iter(column.cells))) for column in table.columns]
    assert cells == [
        "me", "a+b", "3/9", "a/backbone: x, y", "x 2", "y", "1.00 MB", "0.00 MB", "y: values 3",
        "50.0 %",
    ]  # fmt: skip


LONG = "a-site-of-a-very-long-name-that-must-not-be-cut"


@pytest.mark.parametrize("width", [30, 300])
def test_modality_names_are_shown_as_given_at_any_width(width):
    out = StringIO()
    key = name_key("Füße 2")
    told = {**TOLD, "modalities": [key], "neighbours": {f"{key}/unique": ["b"]}}
    show({"a": told}, Console(file=out, width=width))
    assert out.getvalue().count("Füße 2") == 2
    assert "-u" not in out.getvalue()


@pytest.mark.parametrize("width", [30, 80, 300])
def test_no_name_is_cut_at_any_width(width):
    out = StringIO()
    told = {**TOLD, "neighbours": {"a/backbone": [LONG, "y"]}}
    show({LONG: told, "b": {}}, Console(file=out, width=width))
    text = out.getvalue()
    assert text.count(LONG) == 2
    assert "an answer that cannot be read" in text
    assert "…" not in text
    if width == 300:
        assert "│" in text


def test_what_a_peer_tells_is_shown_as_it_is_and_never_obeyed():
    out = StringIO()
    told = {**TOLD, "missing": ["[red]x", "\x1b[31my"]}
    show({"a": told}, Console(file=out, width=80))
    assert "[red]x, ?[31my" in out.getvalue()


@pytest.mark.parametrize(
    "error", [EOFError, RuntimeError, UnicodeDecodeError("utf-8", b"x", 0, 1, "x")]
)
def test_init_without_answers_says_which_options_answer(error, monkeypatch, capsys, tmp_path):
    def nobody(question):
        raise error

    monkeypatch.setattr("builtins.input", nobody)
    assert main(["node", "init", "a.toml"]) == 2
    assert "no answer to 'name'; give --name" in capsys.readouterr().err
    assert not (tmp_path / "a.toml").exists()


def test_a_seed_that_cannot_be_announced_is_refused(tmp_path):
    (tmp_path / "a.toml").write_text(f"seed = {2**63}\n" + BASE + "[peer]\ninsecure = true\n")
    with pytest.raises(ConfigError, match=f"seed must be .* at most {2**63 - 1}, not {2**63}"):
        load_agent_file(tmp_path / "a.toml")


def test_a_node_goes_on_when_nobody_reads_its_log(monkeypatch):
    class Closed:
        def write(self, text):
            raise BrokenPipeError

        def flush(self):
            raise BrokenPipeError

    log = _Log()
    monkeypatch.setattr("sys.stderr", Closed())
    log.note("x")
    monkeypatch.setattr("sys.stderr", None)
    log.note("x")


def test_asking_for_the_status_loads_nothing_that_trains():
    code = (
        "import sys, parse_dfl.cli.node_status;"
        "print([name for name in ('torch', 'numpy', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
