from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from parse_dfl.engine.checkpoint import read_tensors, write_tensors
from parse_dfl.errors import CheckpointError, OutputError

TENSORS = {"x": torch.arange(6, dtype=torch.float64).view(2, 3), "n": torch.tensor([3])}


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "c.safetensors"
    write_tensors(path, TENSORS, {"round": 3, "clock": {"train": 0.5}})
    tensors, header = read_tensors(path)
    assert header == {"round": 3, "clock": {"train": 0.5}}
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(value, TENSORS[name]) for name, value in tensors.items())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"c\.safetensors does not exist"):
        read_tensors(tmp_path / "c.safetensors")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 0.99])
def test_a_truncated_file_is_refused_by_name(tmp_path, share):
    path = tmp_path / "c.safetensors"
    write_tensors(path, TENSORS, {"round": 3})
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match=r"c\.safetensors is no file of parse-dfl, or is dam"):
        read_tensors(path)


@pytest.mark.parametrize("metadata", [None, {"other": "1"}, {"header": "{"}])
def test_a_foreign_file_is_refused(tmp_path, metadata):
    save_file(TENSORS, tmp_path / "x.safetensors", metadata=metadata)
    with pytest.raises(CheckpointError, match=r"x\.safetensors is no file of parse-dfl"):
        read_tensors(tmp_path / "x.safetensors")


def test_a_header_that_is_no_object_is_refused(tmp_path):
    save_file(TENSORS, tmp_path / "x.safetensors", metadata={"header": "[1]"})
    with pytest.raises(CheckpointError, match="its header is not an object"):
        read_tensors(tmp_path / "x.safetensors")


def test_a_folder_that_is_missing_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="cannot write"):
        write_tensors(tmp_path / "no" / "c.safetensors", TENSORS, {})
