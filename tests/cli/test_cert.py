from __future__ import annotations

import pytest

from parse_dfl.cli import main


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(argv, capsys):
    """The one line of a refusal."""
    assert main(["cert", *argv]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_an_authority_issues_and_shows(capsys):
    assert main(["cert", "ca", "--federation", "demo"]) == 0
    assert "ca: ca.pem, ca.key\nKeep ca/ca.key off the network" in capsys.readouterr().out
    assert main(["cert", "issue", "acc-0", "--days", "10", "--host", "10.0.0.7"]) == 0
    issued = capsys.readouterr().out
    assert issued.startswith("certificates/acc-0: ca.pem, cert.pem, key.pem\nacc-0 of demo, ")
    assert "reached as 10.0.0.7; valid until " in issued
    assert main(["cert", "show", "certificates/acc-0"]) == 0
    assert capsys.readouterr().out == issued.split("\n", 1)[1]


def test_agents_of_one_machine_need_no_host(capsys):
    main(["cert", "ca", "--federation", "demo"])
    main(["cert", "issue", "acc-0"])
    assert "reached as localhost, 127.0.0.1;" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ([], "say what to do: ca, issue or show; see parse-dfl cert --help"),
        (["isue"], "invalid choice: 'isue'"),
        (["ca"], "required: --federation"),
        (["ca", "--federation", "a/b"], "'a/b' cannot name the federation"),
        (["ca", "--federation", "a", "--days", "0"], "0 is too few"),
        (["issue", "acc-0"], "ca holds no ca.key; make an authority first: parse-dfl cert ca"),
        (["issue", "acc-0", "--hst", "x"], "unknown option '--hst'"),
        (["show", "nowhere"], "cannot read nowhere/key.pem"),
    ],
)
def test_bad_input(argv, told, capsys):
    assert told in refused(argv, capsys)


@pytest.mark.parametrize("action", [[], ["ca"], ["issue"], ["show"]])
def test_help_teaches(action, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["cert", *action, "--help"])
    assert stop.value.code == 0
    assert f"usage: parse-dfl cert {' '.join(action)}".rstrip() in capsys.readouterr().out
