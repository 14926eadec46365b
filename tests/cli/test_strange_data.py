"""Data that were not made for this program, from end to end."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from parse_dfl import load_agent
from parse_dfl.cli import main
from parse_dfl.data.catalog import load

FAST = ["--rounds", "2", "--latent", "3", "--hidden", "4", "--samples-per-agent", "12"]
RNG = np.random.default_rng(0)
LABEL = np.arange(90) % 3
NAMES = {
    "left wrist": RNG.normal(size=(90, 3)) + LABEL[:, None],
    "puls.ohr": RNG.normal(size=(90, 4)),
    "label": np.array([text.encode("latin-1") for text in ("Fuß", "b", "c")])[LABEL],
}
MIX = "left wrist=1,puls.ohr=1,left wrist+puls.ohr=1"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.filterwarnings("ignore:.*missing from font")
def test_names_of_any_letters_are_shown_as_given_and_safe_on_disk(capsys):
    np.savez("set.npz", **NAMES)
    options = ["--kind", "left wrist=vector", "--encoder", "left wrist=mlp2",
               "--samples-per-agent", "left wrist=12,puls.ohr=9,puls.ohr+left wrist=12",
               "--event", "2:left wrist-0:+puls.ohr"]  # fmt: skip
    argv = ["run", "--data", "set.npz", "--agents", MIX, *FAST, *options, "--out", "x"]
    assert main(argv) == 0
    out, err = capsys.readouterr()
    assert "left wrist+puls.ohr" in out
    assert "left wrist" in err
    assert "-u20-" not in out + err
    assert sorted(path.name for path in Path("x/agents").iterdir()) == [
        "left-u20-wrist+puls-u2e-ohr-0.safetensors",
        "left-u20-wrist-0.safetensors",
        "puls-u2e-ohr-0.safetensors",
    ]
    agent = load_agent("x/agents/left-u20-wrist+puls-u2e-ohr-0.safetensors")
    inputs = {name: NAMES[name] for name in ("left wrist", "puls.ohr")}
    assert agent.predict(inputs).shape == (90,)
    assert agent.label_names == ("Fuß", "b", "c")
    assert main(["report", "x"]) == 0
    page = Path("x/report.html").read_text(encoding="utf-8")
    assert "left wrist+puls.ohr" in page
    assert "-u20-" not in page


def test_an_unknown_name_is_told_as_given(capsys):
    np.savez("set.npz", **NAMES)
    assert main(["run", "--data", "set.npz", "--agents", "left wrst=1", *FAST]) == 2
    err = capsys.readouterr().err
    assert "'left wrst'; did you mean 'left wrist'" in err
    assert err.count("\n") == 1


def test_pictures_with_channels_first_train_and_predict_as_with_channels_last(capsys):
    first = (RNG.normal(size=(90, 3, 8, 12)) + LABEL[:, None, None, None]).astype(np.float32)
    last = np.moveaxis(first, 1, -1)
    np.savez("first.npz", cam=first, label=LABEL)
    np.savez("last.npz", cam=last, label=LABEL)
    for name in ("first", "last"):
        argv = ["run", "--data", f"{name}.npz", "--agents", "cam=2", *FAST, "--out", name]
        assert main(argv) == 0
    err = capsys.readouterr().err
    assert "note: modality 'cam', 3 × 8 × 12 a sample, is read as image (chw)" in err
    path = "agents/cam-0.safetensors"
    agents = [load_agent(f"{name}/{path}") for name in ("first", "last")]
    expected = agents[1].predict_probability({"cam": last})
    np.testing.assert_allclose(agents[0].predict_probability({"cam": first}), expected, atol=1e-6)
    np.testing.assert_allclose(agents[0].predict_probability({"cam": last}), expected, atol=1e-6)


def test_equal_axes_are_turned_as_in_training_and_once():
    """(4, 4, 4) looks the same before and after."""
    cube = RNG.normal(size=(90, 4, 4, 4)).astype(np.float32)
    np.savez("cube.npz", cam=cube, label=LABEL)
    np.savez("turned.npz", cam=np.moveaxis(cube, 1, -1), label=LABEL)
    for name, kind in (("cube", "image:chw"), ("turned", "image:hwc")):
        options = ["--agents", "cam=2", "--kind", f"cam={kind}", *FAST, "--out", name, "--quiet"]
        assert main(["run", "--data", f"{name}.npz", *options]) == 0
    told = [load_agent(f"{name}/agents/cam-0.safetensors") for name in ("cube", "turned")]
    inside = load("cube.npz", kinds={"cam": "image:chw"}).modalities["cam"]
    expected = told[1].outputs({"cam": inside}).logits
    assert told[0].outputs({"cam": cube}).logits.allclose(expected)
    assert told[0].outputs({"cam": inside}, laid_out=True).logits.allclose(expected)


def test_a_file_whose_name_is_not_utf_8(capsys):
    name = os.fsdecode(b"caf\xe9.npz")
    try:
        np.savez(name, a=RNG.normal(size=(90, 3)), label=LABEL)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert main(["data", name]) == 0
    assert "caf\\udce9" in capsys.readouterr().out
    assert main(["run", "--data", name, "--agents", "a=2", *FAST, "--out", "x", "--quiet"]) == 0
    capsys.readouterr()
    assert main(["report", "x"]) == 0
    assert "caf" in Path("x/report.html").read_text(encoding="utf-8")
    Path("x/summary.json").unlink()
    assert main(["run", "--resume", "x", "--quiet"]) == 0


def test_what_is_left_out_is_named_where_a_mix_is_asked_for(capsys):
    np.savez("set.npz", a=np.ones((90, 3)), b=np.ones((80, 3)), label=LABEL)
    assert main(["run", "--data", "set.npz", *FAST]) == 2
    assert "b is ignored (80 rows, label has 90)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("shape", "kind"),
    [((48, 64, 3), "image"), ((9, 7, 4), "image"), ((6, 3, 8, 9), "video"), ((1, 40), "series")],
)
def test_encoders_take_what_was_recognised(shape, kind):
    np.savez("set.npz", m=RNG.normal(size=(40, *shape)), label=np.arange(40) % 2)
    argv = ["run", "--data", "set.npz", "--agents", "m=2", *FAST, "--rounds", "1", "--out", "x"]
    assert load("set.npz").kinds["m"] == kind
    assert main([*argv, "--samples-per-agent", "8", "--quiet"]) == 0
