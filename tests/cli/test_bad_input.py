"""Bad input from end to end: exit status 2 and one line on stderr, whatever is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from parse_dfl.cli import main
from parse_dfl.engine.checkpoint import FORMAT, write_tensors

FAST = ["--rounds", "2", "--latent", "3", "--hidden", "4", "--samples-per-agent", "8", "--quiet"]
SMALL = ["--agents", "a=1,b=1,a+b=1"]
RNG = np.random.default_rng(0)


def good(**changes):
    arrays = {
        "a": RNG.normal(size=(90, 3)),
        "b": RNG.normal(size=(90, 4)),
        "label": np.arange(90) % 3,
    }
    return {name: values for name, values in (arrays | changes).items() if values is not None}


def with_nan():
    values = RNG.normal(size=(90, 3))
    values[4, 1] = np.nan
    return good(a=values)


FILES = {
    "good": good(),
    "nolabel": good(label=None),
    "nan": with_nan(),
    "inf": good(a=np.full((90, 3), np.inf)),
    "unequal": good(b=RNG.normal(size=(89, 4))),
    "classless": good(is_test=np.arange(90) % 3 == 2),
    "pickled": good(a=np.array([{"x": 1}] * 90, dtype=object)),
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, arrays in FILES.items():
        np.savez(f"{name}.npz", **arrays)
    whole = Path("good.npz").read_bytes()
    Path("truncated.npz").write_bytes(whole[: len(whole) // 2])
    Path("corrupt.npz").write_bytes(b"no zip file")
    Path("apart.txt").write_text("a-0 b-0\na-1 b-1\n")
    Path("broken.toml").write_text("rounds = = 3\n")
    Path("taken").touch()
    Path("full").mkdir()
    Path("full/mine.txt").touch()
    return tmp_path


def refused(argv, capsys):
    """The one line of a refusal."""
    status = main(argv)
    out, err = capsys.readouterr()
    assert status == 2
    assert out == ""
    assert err.startswith("parse-dfl: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--data", "missing.npz"], ["missing.npz"]),
        (["--data", "corrupt.npz"], ["corrupt.npz"]),
        (["--data", "truncated.npz"], ["truncated.npz"]),
        (["--data", "nolabel.npz"], ["nolabel.npz", "label"]),
        (["--data", "nan.npz"], ["'a'", "1 NaN"]),
        (["--data", "inf.npz"], ["'a'", "infinite"]),
        (["--data", "unequal.npz"], ["'b' has 89 samples, label has 90"]),
        (["--data", "classless.npz"], ["2", "class"]),
        (["--data", "pickled.npz"], ["'a'", "pickle"]),
        (["--data", "digit"], ["'digit'", "did you mean 'digits'"]),
        (["--data", "good.npz", "--agents", "a=1,c=1"], ["'c'", "a, b"]),
        (["--data", "good.npz", "--samples-per-agent", "50"], ["150 samples"]),
        (["--data", "good.npz", "--test", "subject:3"], ["no subjects"]),
        (["--data", "good.npz", "--partition", "subject"], ["no subjects"]),
        (["--data", "good.npz", "--partition", "dirichlet:0"], ["dirichlet:0", "dirichlet:0.3"]),
        (["--agents", "a=0"], ["'a=0'", "use 1 or more"]),
        (["--agents", "a=-2"], ["'a=-2'", "use 1 or more"]),
        (["--agents", "a5"], ["'a5'", "is not SET=COUNT"]),
        (["--agents", "a=1,a=2"], ["'a' stands twice"]),
        (["--kind", "a=vector", "--kind", "a=series"], ["--kind gives 'a' twice"]),
        (["--option", "tau=1", "--option", "tau=2"], ["--option gives 'tau' twice"]),
        (["--samples-per-agent", "a=8,a=9,b=8,a+b=8"], ["names 'a' twice"]),
        (["--robust", "clipping:attackers=1,attackers=2"], ["gives a setting twice"]),
        (["--data", "synthetic:noise=1,noise=2"], ["'noise' of synthetic is given twice"]),
        (["--kind", "a=image:xyz"], ["unknown layout 'xyz'", "chw"]),
        (["--method", "pasre"], ["'pasre'", "did you mean 'parse'"]),
        (["--method", "parse@hybird"], ["'hybird'", "did you mean 'hybrid'"]),
        (["--topology", "rign"], ["'rign'", "did you mean 'ring'"]),
        (["--topology", "regular:x"], ["'x' is no degree"]),
        (["--topology", "file:none.txt"], ["none.txt"]),
        (["--data", "good.npz", "--agents", "a=2,b=2", "--topology", "file:apart.txt"],
         ["apart.txt", "is not connected"]),
        (["--split", "0,0,0"], ["split 0,0,0 sums to zero"]),
        (["--split", "1,-1,1"], ["negative"]),
        (["--split", "1,1"], ["split"]),
        (["--fusion", "concta"], ["did you mean 'concat'"]),
        (["--optimizer", "adma"], ["did you mean 'adam'"]),
        (["--lr", "0"], ["lr must be above 0"]),
        (["--lr", "nan"], ["lr"]),
        (["--rounds", "0"], ["rounds must be at least 1"]),
        (["--dropout", "1"], ["dropout"]),
        (["--option", "tua=1"], ["has no option 'tua'"]),
        (["--event", "3:a-0:b"], ["'3:a-0:b' is no modality event"]),
        (["--data", "good.npz", "--event", "2:a-0:-a"], ["lose its last modality"]),
        (["--robust", "trimmed"], ["unknown robust mixing 'trimmed'", "did you mean"]),
        (["--data", "good.npz", "--agents", "a=3", "--robust", "trimmed-mean"],
         ["ill-posed on a/", "a-0 has 2 neighbours", "needs 3"]),
        (["--attacker", "a-0"], ["'a-0' is no attacker"]),
        (["--attacker", "c-0:random"], ["unknown agent 'c-0'", "known: a+b-0, a-0, b-0"]),
        (["--encoder", "a=mlp3"], ["'mlp3'", "mlp2"]),
        (["--device", "tpu"], ["'tpu'"]),
        (["--config", "broken.toml"], ["broken.toml", "line 1"]),
        (["--out", "taken"], ["taken is a file"]),
        (["--out", "taken/x"], ["cannot write taken/x"]),
        (["--out", "full"], ["full is not empty", "--overwrite"]),
        (["--out", "full", "--overwrite"], ["full is no run or comparison", "not deleted"]),
        (["--resume", "full"], ["nothing to resume", "full"]),
    ],
)  # fmt: skip
def test_run_refuses(argv, told, capsys):
    own = [] if "--resume" in argv else [*FAST, "--out", "x", "--data", "good.npz", *SMALL]
    if "--out" in argv:
        own = [*FAST, "--data", "good.npz", *SMALL]
    line = refused(["run", *own, *argv], capsys)
    assert all(text in line for text in told), line
    assert not Path("x").exists()


@pytest.mark.parametrize(
    "argv",
    [
        ["compare", "--methods", "parse,pasre"],
        ["compare", "--methods", "parse,parse"],
        ["compare", "--data", "missing.npz", "--out", "x"],
        ["compare", "--seeds", "-1"],
        ["data", "corrupt.npz"],
        ["report", "full"],
        ["report", "missing"],
    ],
)
def test_the_other_commands_refuse(argv, capsys):
    refused(argv, capsys)


def test_the_checkpoint_of_another_experiment(capsys):
    argv = ["run", *FAST, "--data", "good.npz", *SMALL, "--out", "x"]
    assert main(argv) == 0
    Path("x/summary.json").unlink()
    checkpoint = Path("x/checkpoint.safetensors")
    capsys.readouterr()
    header = {"round": 1, "experiment": "another"}
    write_tensors(checkpoint, {}, header)
    assert "is of another version of the program" in refused(["run", "--resume", "x"], capsys)
    write_tensors(checkpoint, {}, header | {"format": FORMAT})
    line = refused(["run", "--resume", "x", "--quiet"], capsys)
    assert f"{checkpoint} is the checkpoint of another experiment" in line
    checkpoint.write_bytes(b"garbage")
    assert f"{checkpoint} is no file of parse-dfl" in refused(["run", "--resume", "x"], capsys)


@pytest.mark.parametrize("name", ["config.json", "metrics.jsonl", "agents/a-0.safetensors"])
def test_a_disk_that_is_full(name, capsys, monkeypatch):
    """It fills up when this record is written."""
    written = os.fsync

    def fsync(descriptor):
        if Path("x", name).parent.exists() and ready[name]():
            raise OSError(28, "No space left on device")
        written(descriptor)

    ready = {
        "config.json": lambda: True,
        "metrics.jsonl": lambda: Path("x/metrics.jsonl").exists(),
        "agents/a-0.safetensors": lambda: True,
    }
    monkeypatch.setattr(os, "fsync", fsync)
    line = refused(["run", *FAST, "--data", "good.npz", *SMALL, "--out", "x"], capsys)
    assert line == f"parse-dfl: cannot write x/{name}: No space left on device\n"


def test_a_folder_that_is_read_only(capsys, monkeypatch):
    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    line = refused(["run", *FAST, "--data", "good.npz", *SMALL, "--out", "x"], capsys)
    assert line == "parse-dfl: cannot write x: Permission denied\n"


@pytest.mark.parametrize(
    "argv",
    [
        ["run", "--config", "x" * 300],
        ["run", "--data", "x" * 300 + ".npz"],
        ["run", "--data-dir", "x" * 300],
        ["run", "--out", "x" * 300],
        ["run", "--resume", "x" * 300],
        ["run", "--topology", "file:" + "x" * 300],
        ["data", "x" * 300],
        ["report", "x" * 300],
        ["audit", "x" * 300],
        ["pid", "good.npz", "--modalities", "a,b", "--out", "x" * 300],
        ["cert", "show", "x" * 300],
        ["cert", "ca", "--federation", "f", "--out", "x" * 300],
        ["node", "x" * 300],
        ["node", "init", "--defaults", "x" * 300],
    ],
)
def test_a_name_that_is_too_long(argv, capsys):
    assert "xxx" in refused(argv, capsys)


@pytest.mark.parametrize(
    "argv",
    [
        ["--agents", "a=²"],
        ["--agents", "a=--5"],
        ["--agents", "a=" + "9" * 30],
        ["--samples-per-agent", "1..9223372036854775807"],
        ["--samples-per-agent", "1_0"],
        ["--seed", "1e29", "--method", "oracle"],
        ["--seed", "1" + "0" * 29, "--method", "oracle"],
        ["--seed", "-1"],
        ["--event", "²:a-0:+b"],
        ["--attacker", "a-0:scale:1e400"],
        ["--topology", "regular:²"],
        ["--partition", "dirichlet:1e-320"],
        ["--memory-limit", "²GiB"],
        ["--robust", "clipping:attackers=nan"],
        ["--split", "1e308,1e308,1e308"],
        ["--lr", "1e39"],
        ["--latent", "9223372036854775807"],
        ["--batch-size", "9223372036854775807"],
        ["--lease", "1e300"],
        ["--threads", "0"],
        ["--threads", "²"],
    ],
)
def test_a_number_that_no_computation_should_meet(argv, capsys):
    refused(["run", "--data", "good.npz", *SMALL, *FAST, "--out", "x", *argv], capsys)


def test_the_largest_seed_will_do(capsys):
    argv = ["run", "--data", "good.npz", *SMALL, *FAST, "--method", "oracle", "--out", "x"]
    assert main([*argv, "--seed", str(2**63 - 1)]) == 0
