"""``python -m benchmarks.speed``: measure, print the tables, keep the result."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks.speed import growth, picture, rivals, startup, tables
from benchmarks.speed.jobs import Job
from benchmarks.speed.store import Cell, Store
from benchmarks.speed.timing import Effort, compare_evaluations, compare_rounds

PARTS = ("startup", "times", "compiled", "growth", "rivals")
SIZES = (16, 100, 1000)
LARGEST_EVALUATED = 100
"""Above it the loop's evaluation, far longer than its round, would be most of the benchmark."""
TIMED = {
    ("vector-64", "dsgd-mlp"): SIZES,
    ("vector-561", "dsgd-mlp"): SIZES,
    ("vector-64", "parse"): SIZES,
    ("series", "parse"): SIZES,
    ("image", "parse"): SIZES,
    ("video", "parse"): SIZES[:2],
    ("vector-64", "dsgd-hybrid"): SIZES[:2],
    ("image", "dsgd-hybrid"): SIZES[:2],
}
COMPILED = {
    ("vector-64", "dsgd-mlp"): SIZES,
    ("vector-561", "dsgd-mlp"): SIZES,
    ("vector-64", "parse"): SIZES,
    ("series", "parse"): SIZES,
    ("image", "parse"): SIZES[:2],
    ("video", "parse"): SIZES[:1],
    ("vector-64", "dsgd-hybrid"): SIZES[:2],
}
"""What is timed with ``--compile`` as well, which costs up to a minute a job."""
QUICK = {("vector-32", method): (6,) for method in ("dsgd-mlp", "parse")}


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the benchmark; returns what it keeps."""
    options = _checked(_parser(), arguments)
    torch.set_num_threads(options.threads)
    store = Store(options.resume, device=options.device)
    cells = _quick() if options.quick else _cells(options)
    done = store.take(_told(cells), options.within, keep=not options.quick)
    print(tables.render(store.result))
    if not options.quick:
        tables.update_readme()
        picture.draw()
        if not done:
            print(f"time is up; go on with --resume {store.path}", file=sys.stderr)
    return store.result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two tiny jobs, nothing is kept")
    parser.add_argument("--threads", type=int, default=1, help="torch's threads, for both sides")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda for times and compiled")
    parser.add_argument("--parts", default="startup,times,growth", help=f"of {','.join(PARTS)}")
    parser.add_argument(
        "--agents", metavar="N,...", help=f"of {SIZES}, those against the loop (all)"
    )
    parser.add_argument("--series", metavar="TEXT", default="", help="growth whose name holds it")
    parser.add_argument(
        "--rivals", metavar="PYTHON", help="the Python that has other packages: adds that part"
    )
    parser.add_argument(
        "--within", type=float, default=float("inf"), help="begin nothing after so many seconds"
    )
    parser.add_argument("--resume", type=Path, metavar="FILE", help="go on with this result")
    return parser


def _checked(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None
) -> argparse.Namespace:
    """The options; what would measure nothing is refused."""
    options = parser.parse_args(arguments)
    known = {
        "parts": (options.parts.split(","), PARTS),
        "agents": ((options.agents or "16").split(","), [str(size) for size in SIZES]),
    }
    for name, (given, good) in known.items():
        if unknown := set(given) - set(good):
            parser.error(f"--{name}: no {', '.join(sorted(unknown))}; there are {', '.join(good)}")
    if not any(options.series in series for series in growth.SERIES):
        parser.error(f"--series: {options.series!r} is in none of {', '.join(growth.SERIES)}")
    if "rivals" in options.parts.split(",") and not options.rivals:
        parser.error("--parts rivals needs --rivals PYTHON")
    if options.device != "cpu":
        _check_device(parser, options)
    return options


def _check_device(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Of another device only rounds and evaluations are timed, if it is there."""
    if options.device.partition(":")[0] != "cuda":
        parser.error(f"--device: no {options.device!r}; there are cpu and cuda")
    if unfit := set(options.parts.split(",")) - {"times", "compiled"}:
        parser.error(f"--device {options.device}: --parts times,compiled, not {', '.join(unfit)}")
    if not torch.cuda.is_available():
        parser.error(f"--device {options.device}: this machine, or this torch, has no CUDA device")


def _cells(options: argparse.Namespace) -> Iterator[Cell]:
    parts = options.parts.split(",")
    wanted = [int(size) for size in options.agents.split(",")] if options.agents else SIZES
    if "startup" in parts:
        for name in startup.WAITS:
            yield "startup", {"what": name}, lambda name=name: asdict(startup.measure(name))
    if "times" in parts:
        for (inputs, method), sizes in TIMED.items():
            for agents in (size for size in sizes if size in wanted):
                job = Job(inputs=inputs, method=method, agents=agents, device=options.device)
                yield from _times(job, Effort())
    if "compiled" in parts:
        for (inputs, method), sizes in COMPILED.items():
            for agents in (size for size in sizes if size in wanted):
                job = Job(
                    inputs=inputs,
                    method=method,
                    agents=agents,
                    compiled=True,
                    device=options.device,
                )
                yield from itertools.islice(_times(job, Effort()), 1)  # evaluation is not compiled
    if "growth" in parts:
        for series, jobs in growth.SERIES.items():
            if options.series not in series:
                continue
            for size, job in jobs.items():
                identity = {"series": series, "size": size, "agents": job.agents}
                yield "growth", identity, lambda job=job: _grown(job, options.threads)
    if options.rivals:
        for features, agents in rivals.CASES:
            for rival in rivals.RIVALS:
                case = (rival, features, agents, True)
                identity = dict(zip(("rival", "features", "agents", "compiled"), case, strict=True))
                yield "rivals", identity, lambda case=case: _duel(case, options)


def _quick() -> Iterator[Cell]:
    for (inputs, method), (agents,) in QUICK.items():
        job = Job(inputs=inputs, method=method, agents=agents)
        yield from _times(job, Effort(pairs=2, seconds=0.0))


def _times(job: Job, effort: Effort) -> Iterator[Cell]:
    identity = {"inputs": job.inputs, "method": job.label, "agents": job.agents}

    def rounds() -> dict[str, Any]:
        pair, roofline = compare_rounds(job, effort)
        return asdict(pair) | asdict(roofline)

    yield "times", identity | {"part": "round"}, rounds
    if job.agents <= LARGEST_EVALUATED:
        evaluation = identity | {"part": "evaluation"}
        yield "times", evaluation, lambda: asdict(compare_evaluations(job, effort))


def _grown(job: Job, threads: int) -> dict[str, Any]:
    return asdict(growth.measure(job, threads))


def _duel(case: tuple[str, int, int, bool], options: argparse.Namespace) -> dict[str, Any]:
    *job, compiled = case
    duel = rivals.compare(*job, options.rivals, options.threads, compiled=compiled)
    return {"failed": duel} if isinstance(duel, str) else asdict(duel)


def _told(cells: Iterator[Cell]) -> Iterator[Cell]:
    """The same; each is named on stderr before it is taken."""
    for part, identity, measure in cells:

        def telling(measure: Any = measure, identity: Any = identity) -> dict[str, Any]:
            print(*identity.values(), file=sys.stderr, flush=True)
            return measure()

        yield part, identity, telling


if __name__ == "__main__":
    main()
