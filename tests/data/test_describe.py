import json

from parse_dfl.data.describe import describe
from parse_dfl.data.splits import split
from parse_dfl.data.synthetic import SyntheticConfig, synthetic


def test_description_is_plain_json():
    data = synthetic(SyntheticConfig(samples=160))
    text = describe(data, split(data))
    assert json.loads(json.dumps(text)) == text
    assert text["modalities"]["a"] == {"kind": "vector", "shape": [16]}
    assert text["label_counts"]["0000"] == 10
    assert text["split"] == {"train": 102, "validation": 26, "test": 32}
    assert (text["samples"], text["classes"], text["subjects"]) == (160, 16, None)
