"""Numbers as people read them, and tables that lose nothing in any terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from parse_dfl.report.formatting import (
    MISSING,
    UNLIMITED,
    Entry,
    Table,
    TerminalTable,
    accuracy_entries,
    counted,
    duration,
    entries,
    file_size,
    listed,
    percent,
    percent_interval,
    points_interval,
    signed_points,
)
from parse_dfl.report.statistics import Interval
from parse_dfl.text import name_key

WIDE = Interval(mean=-0.018, half=0.007, count=3)
ALONE = Interval(mean=0.8421, half=None, count=1)
CELLS = ("dsgd-modality", "84.1 ± 3.3", "−2.3", "12.9 kB", "[bold]")
TABLE = Table(
    title="Accuracy in percent",
    header=("method", "bottom", "bottom+top", "bytes/link", "time"),
    rows=(tuple(Entry(text=text, best=text.startswith("84")) for text in CELLS),),
    notes=("parse against harmony: +1.2 points (95 % interval −2.3 to +4.7)",),
)
TEXTS = Table(
    title="data sets",
    header=("name", "what"),
    rows=((Entry(text="digits"), Entry(text="handwritten digits, cut in two halves")),),
)


def test_accuracies_are_percent_with_half_their_interval():
    assert (percent(0.8421), percent(None)) == ("84.2", MISSING)
    assert percent_interval(ALONE) == "84.2"
    assert percent_interval(Interval(mean=0.8, half=0.011, count=2)) == "80.0 ± 1.1"


def test_differences_have_a_sign_that_is_no_hyphen():
    assert signed_points(WIDE) == "−1.8 ± 0.7"
    assert points_interval(WIDE) == "−1.8 points (95 % interval −2.5 to −1.1)"
    assert signed_points(ALONE) == "+84.2"
    assert points_interval(ALONE) == "+84.2 points"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (12_340, "12.3 kB"), (4.12e8, "412.0 MB"), (3e9, "3.0 GB")],
)
def test_sizes_have_decimal_units(count, text):
    assert file_size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.421, "0.42 s"), (12.34, "12.3 s"), (250, "4 min 10 s"), (7500, "2 h 05 min")],
)
def test_durations_have_the_units_that_fit(seconds, text):
    assert duration(seconds) == text


def test_words_are_counted_and_listed():
    assert counted(1, "loss", "losses") == "1 loss"
    assert counted(2, "loss", "losses") == "2 losses"
    assert counted(0, "cell") == "0 cells"
    assert [listed(list(names)) for names in ("a", "ab", "abc")] == ["a", "a and b", "a, b and c"]


def test_the_best_that_competes_is_marked():
    values = {"a": 0.5, "b": 0.7, "bound": 0.9}

    def accuracy(name):
        return Interval(mean=values[name], half=None, count=1) if name in values else None

    column = accuracy_entries([*values, "none"], accuracy, lambda name: name != "bound")
    assert [entry.text for entry in column] == ["50.0", "70.0", "90.0", MISSING]
    assert [entry.best for entry in column] == [False, True, False, False]
    assert not any(entry.best for entry in entries(("x", "y")))


def printed(table, width, encoding="utf-8", **settings):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    Console(file=stream, width=width).print(TerminalTable(table, **settings))
    stream.flush()
    return raw.getvalue().decode(encoding)


def words(text):
    return text.replace("─", " ").split()


@pytest.mark.parametrize("width", [12, 20, 40, 60, 80, 200, UNLIMITED])
def test_nothing_is_lost_at_any_width(width):
    shown = printed(TABLE, width)
    assert max(map(len, shown.splitlines())) <= width
    whole = "".join(words(shown))
    for text in (*CELLS, *TABLE.header, *TABLE.notes, TABLE.title):
        assert "".join(text.split()) in whole


def test_a_wide_table_stacks_and_keeps_the_mark():
    lines = [line.rstrip() for line in printed(TABLE, 40).splitlines()]
    assert "method: dsgd-modality" in lines
    assert "  bottom      84.1 ± 3.3*" in lines


def test_output_without_a_width_has_a_line_a_row_and_a_line_a_note():
    lines = printed(TABLE, UNLIMITED).splitlines()
    assert [line for line in lines if all(cell in line for cell in CELLS)]
    assert [line for line in lines if line.rstrip() == TABLE.notes[0]]


def test_long_texts_fold_between_words_before_a_table_stacks():
    lines = printed(TEXTS, 40, texts=True).splitlines()
    assert any(line.split() == ["name", "what"] for line in lines)
    assert words(" ".join(lines))[-6:] == TEXTS.rows[0][1].text.split()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_an_encoding_that_lacks_signs_keeps_columns_aligned(encoding):
    plain = printed(TABLE, 80, encoding)
    assert "2.3" in plain
    header, row = (next(x for x in plain.splitlines() if key in x) for key in ("time", "[bold]"))
    assert header.rstrip().endswith("time")
    assert len(header.rstrip()) == len(row.rstrip())
    assert ("84.1 ± 3.3*" in plain) == (encoding != "ascii")


@pytest.mark.parametrize("width", [20, 200])
def test_names_are_shown_as_given(width):
    name = "Füße.2"
    header = ("method", name_key(name))
    rows = ((Entry(text="parse"), Entry(text=f"{name_key(name)}: 1.0")),)
    table = Table(title=f"on {name_key(name)}", header=header, rows=rows, notes=(name_key(name),))
    shown = printed(table, width)
    assert shown.count(name) == 4
    assert "-u" not in shown


def test_a_comparison_of_two_modalities_fits_eighty_characters_without_wrapping_a_cell():
    header = ("method", "bottom", "top", "bottom+top", "mean", "bytes/link", "time")
    accuracies = [Entry(text="84.1 ± 3.3", best=True)] * 4
    row = (Entry(text="dsgd-modality"), *accuracies, Entry(text="12.9 kB"), Entry(text="2.6 s"))
    console = Console(width=80)
    with console.capture() as capture:
        console.print(TerminalTable(Table(title="title", header=header, rows=(row,), notes=())))
    lines = capture.get().splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if all(name in line for name in header)]
    assert [line for line in lines if all(cell.text in line for cell in row)]
