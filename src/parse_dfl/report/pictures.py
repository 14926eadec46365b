"""Figures as files: PNG and SVG, the same bytes for the same record."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

from matplotlib import rc_context
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter

from parse_dfl.io import cannot_write, write_atomically
from parse_dfl.report.load import read_record
from parse_dfl.report.records import Record
from parse_dfl.report.sections import pictures_of
from parse_dfl.report.style import Picture
from parse_dfl.text import as_given

FOLDER = "figures"
DOTS_PER_INCH = 160


@dataclass(frozen=True, kw_only=True)
class SavedPicture:
    """A picture whose files are written."""

    picture: Picture
    png: Path
    svg: bytes


def figures(directory: Path) -> list[Path]:
    """Draw every figure of the record in ``directory`` into ``directory/figures``.

    Returns the PNG files; an SVG of the same name lies beside each.

    Raises:
        RecordError: the folder holds no record, or a corrupt one.
        OutputError: the folder cannot be written to.
    """
    return [saved.png for saved in save_pictures(read_record(directory))[0]]


def save_pictures(record: Record) -> tuple[list[SavedPicture], list[str]]:
    """Draw and write every figure of ``record``; also why some could not be drawn."""
    pictures, problems = pictures_of(record)
    return [save_picture(picture, record.directory / FOLDER) for picture in pictures], problems


def save_picture(picture: Picture, folder: Path) -> SavedPicture:
    """Write a picture's files into ``folder``."""
    svg = _rendered(picture, "svg")
    png = folder / f"{picture.name}.png"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    write_atomically(folder / f"{picture.name}.svg", svg)
    write_atomically(png, _rendered(picture, "png"))
    return SavedPicture(picture=picture, png=png, svg=svg)


def _rendered(picture: Picture, kind: str) -> bytes:
    stream = io.BytesIO()
    with rc_context({"svg.hashsalt": picture.name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        _show_names(picture)
        metadata = {"Date": None} if kind == "svg" else None
        picture.figure.savefig(stream, format=kind, dpi=DOTS_PER_INCH, metadata=metadata)
    return stream.getvalue()


def _show_names(picture: Picture) -> None:
    """Write modalities by their given names in every text of a drawing."""
    for axes in picture.figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            formatter = axis.get_major_formatter()
            if isinstance(formatter, FixedFormatter):
                formatter.seq = [as_given(text) for text in formatter.seq]
    for text in picture.figure.findobj(Text):
        if (shown := as_given(text.get_text())) != text.get_text():
            text.set_text(shown)
