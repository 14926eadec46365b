"""Archives that nobody meant: a seeded generator, and the two commands that must bear them.

By hand: ``python -m tests.fuzz.archives --cases 2000`` prints every case that ends otherwise than
with status 0, or with status 2 and one line.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import shutil
import sys
import tempfile
import traceback
import warnings
import zipfile
from pathlib import Path

import numpy as np

from parse_dfl.cli import main

RUN = [
    "run", "--rounds", "1", "--latent", "3", "--hidden", "4", "--local-steps", "1",
    "--samples-per-agent", "3", "--eval-samples", "8", "--quiet",
]  # fmt: skip
NUMBERS = ("<f4", ">f8", "f2", "i1", "u1", ">i4", "u8", "?")
OTHERS = ("c16", "M8[s]", "m8[D]", "U3", "S3", "O", "V4")
SHAPES = (
    (3,), (3,), (5,), (8, 3), (1, 20), (20, 20), (3, 8, 8), (8, 10, 3),  # hardly ever refused
    (), (0,), (3, 20), (8, 8), (1, 8, 8), (8, 8, 4), (4, 6, 6), (4, 8, 8, 3), (6, 3, 8, 8),
    (2, 2, 2, 2, 2), (0, 3), (2000,), (5, 1, 1), (1,), (1, 1),
)  # fmt: skip
NAMES = (
    "acc", "gyro", "left wrist", "puls.ohr", "Füße", "a+b", "a=b", "a,b", "a/b", "", " ", "-a", "_",
    "any", "label ", "__MACOSX/x", "x" * 80, "a:b", "\n", "e\u0301", "é", "a-u20-b", "-u2d-", "..",
)  # fmt: skip
LABEL_DTYPES = ("i8", "i8", "i8", "u1", "U4", "S4", "f4", "?", "O", "c8", "M8[s]", ">i2")


def arrays_of(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The arrays of one archive by name; half of the archives are wild, the others almost right."""
    wild = rng.random() < 0.5
    samples = int(rng.choice([90, 90, 60, 12, 2, 1, 0] if wild else [90, 60]))
    found = {
        str(rng.choice(NAMES if wild else NAMES[:4])): _array(
            rng, (samples, *SHAPES[rng.integers(len(SHAPES) if wild else 8)]), wild=wild
        )
        for _ in range(rng.integers(1, 4))
    }
    if not wild:
        found.setdefault("acc", rng.normal(size=(samples, 3)))
    if rng.random() < 0.97:
        found["label"] = _label(rng, samples, wild=wild)
    if rng.random() < (0.3 if wild else 0.05):
        found["label_names"] = _names(rng)
    if rng.random() < 0.2:
        found["subject"] = _column(rng, samples, wild=wild)
    if rng.random() < 0.1:
        found["is_test"] = rng.integers(0, rng.integers(2, 4), samples)
    if rng.random() < 0.5:
        extra = str(rng.choice(["trial", "feature_names", "adjacency", "notes"]))
        found[extra] = _array(
            rng, (int(rng.integers(0, 9)), *SHAPES[rng.integers(len(SHAPES))]), wild=True
        )
    return found


def _array(rng: np.random.Generator, shape: tuple[int, ...], *, wild: bool) -> np.ndarray:
    share = 0.15 if wild else 0.02
    dtype = np.dtype(rng.choice(OTHERS if rng.random() < share else NUMBERS))
    if rng.random() < share:
        shape = (shape[0] + 1, *shape[1:])
    if rng.random() < share / 4:
        shape = ()
    values = rng.normal(size=shape) * 10.0 ** rng.choice([0, 0, 0, 3, 6, 30] if wild else [0, 2])
    if dtype.kind == "f" and rng.random() < share and values.size:
        values.flat[0] = rng.choice([np.nan, np.inf])
    return _cast(values, dtype)


def _cast(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        if dtype.kind in "Mm":
            return np.clip(values, -99, 99).astype("i8").astype(dtype)
        if dtype.kind == "V":
            return np.zeros(values.shape, dtype)
        return np.asarray(values).astype(dtype)


def _label(rng: np.random.Generator, samples: int, *, wild: bool) -> np.ndarray:
    classes = int(rng.choice([3, 3, 2, 1] if wild else [3, 2]))
    index = np.arange(samples) % classes
    match rng.integers(8):
        case 0:
            return np.eye(classes)[index]
        case 1:
            return index[:, None]
        case 2:
            texts = ["w\u00e4hl", "caf\u00e9", "\ud83d\ude00"]
            coding = str(rng.choice(["utf-8", "latin-1", "utf-16"]))
            coded = [text.encode(coding, "replace") for text in texts]
            return np.array([coded[each] for each in index] or [b""])
        case 3:
            return np.array(["\udce9", "b", "c"])[index]
        case _:
            return _cast(index, np.dtype(rng.choice(LABEL_DTYPES if wild else LABEL_DTYPES[:6])))


def _names(rng: np.random.Generator) -> np.ndarray:
    choices = (
        np.array("x"), np.array([]), np.array(["a", "b", "c"]), np.array([b"\xe9", b"b", b"c"]),
        np.array([["a", "b"]]), np.array(["a", "a", "b"]), np.array([1.5, 2.5, 3.5]),
        np.array(["\udce9", "[b]", "<i>"]), np.array([1, 2, 3]), np.array([None, 1], dtype=object),
    )  # fmt: skip
    return choices[rng.integers(len(choices))]


def _column(rng: np.random.Generator, samples: int, *, wild: bool) -> np.ndarray:
    values = rng.integers(0, 5, samples)
    types = ["i8", "U2", "S2", "u8", *(["f8", "O", "c8"] if wild else [])]
    return _cast(values, np.dtype(rng.choice(types)))


def write(rng: np.random.Generator, path: Path) -> None:
    """Write one archive, now and then damaged."""
    if rng.random() < 0.03:
        path.write_bytes(rng.bytes(int(rng.integers(0, 200))))
        return
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")  # of a member that is there twice
        for name, array in arrays_of(rng).items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array, allow_pickle=True)
            ending = "" if name and rng.random() < 0.05 else ".npy"
            for _ in range(1 + (rng.random() < 0.02)):
                archive.writestr(f"{name}{ending}", content.getvalue())
        if rng.random() < 0.1:
            archive.writestr("README.txt", "what this is")
            archive.writestr("folder/", "")
    if rng.random() < 0.06:
        content = bytearray(path.read_bytes())
        place = int(rng.integers(len(content)))
        if rng.random() < 0.5:
            content = content[:place]
        else:
            content[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(content)


def commands(rng: np.random.Generator, path: Path, out: Path) -> list[list[str]]:
    """What is asked of the archive."""
    mix = str(rng.choice(["acc=2", "acc=2", "left wrist=2", "acc=1,gyro=1,acc+puls.ohr=1"]))
    kind = str(rng.choice(["acc=vector", "left wrist=series", "acc=image:chw", "gyro=video"]))
    more = [*(["--agents", mix] if rng.random() < 0.7 else [])]
    declared = ["--kind", kind] if rng.random() < 0.2 else []
    subject = ["--subject-key", "trial"] if rng.random() < 0.1 else []
    return [
        ["data", str(path), *declared, *subject],
        [*RUN, "--data", str(path), *more, *declared, *subject, "--out", str(out)],
    ]


def verdict(argv: list[str]) -> str:
    """What is wrong with how a command ended; empty: nothing."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(argv)
        except (Exception, SystemExit):  # noqa: BLE001 - whatever comes out is what is looked for
            return traceback.format_exc()
    try:
        (out.getvalue() + err.getvalue()).encode()
    except UnicodeEncodeError as error:
        return f"{error}: an output that is not UTF-8"
    if status == 0:
        return ""
    lines = [line for line in err.getvalue().splitlines() if not _is_note(line)]
    if status != 2 or len(lines) != 1 or not lines[0].startswith("parse-dfl: "):
        return f"status {status}: {err.getvalue()}"
    return ""


def _is_note(line: str) -> bool:
    return line.startswith(("note: ", "warning: "))


def check(seed: int, folder: Path) -> tuple[str, list[int]]:
    """Write the archive of ``seed`` and ask for it: what is wrong, and the number of results."""
    rng = np.random.default_rng(seed)
    path, out = folder / f"case{seed}.npz", folder / f"out{seed}"
    write(rng, path)
    for argv in commands(rng, path, out):
        if trouble := verdict(argv):
            return f"case {seed}: {' '.join(argv)}\n{trouble}", []
    ended = [1] if (out / "summary.json").is_file() else []
    shutil.rmtree(out, ignore_errors=True)
    path.unlink()
    return "", ended


def by_hand() -> int:
    """Check many cases and print those that went wrong; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    args = parser.parse_args()
    wrong = ended = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(args.first, args.first + args.cases):
            trouble, results = check(seed, Path(folder))
            ended += len(results)
            if trouble:
                wrong += 1
                print(trouble, flush=True)
    print(f"{args.cases} archives, {ended} trained, {wrong} went wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(by_hand())
