"""Your own data: arrays in a mapping, or a torch ``Dataset``.

Run it with ``python examples/own_data.py``.
"""

import numpy as np
import torch
from torch.utils.data import Dataset

from parse_dfl import Own, RunConfig, TrainingConfig, from_mapping, from_torch_dataset, run

# Two sensors watch the same 600 events: a spectrum of 12 numbers, and 20 steps of 3 channels.
rng = np.random.default_rng(0)
label = rng.integers(0, 4, 600)
sound = rng.normal(label[:, None] % 2, 1.0, (600, 12))
motion = rng.normal(label[:, None, None] // 2, 1.5, (600, 20, 3))

# Arrays hold samples first.  The kind of a modality (here: vector and series), and with it the
# encoder, follows from the shape of a sample; ``kinds={"sound": "vector"}`` would overrule it.
data = from_mapping(
    "events", {"sound": sound, "motion": motion}, label, label_names=["none", "A", "B", "both"]
)

# Who owns what.  "both" agents own both sensors; nobody sees another agent's samples.
config = RunConfig(agents="sound=3,motion=3,motion+sound=3", training=TrainingConfig(rounds=20))
summary = run(config, own=Own(data=data))
for group, scores in summary["groups"].items():
    print(f"{group:12} {scores['accuracy']:.2f}")


class Events(Dataset):
    """The same events from a torch ``Dataset``: items are ({modality: tensor}, label)."""

    def __len__(self) -> int:
        return len(label)

    def __getitem__(self, index: int) -> tuple[dict[str, torch.Tensor], int]:
        sensors = {"sound": torch.tensor(sound[index]), "motion": torch.tensor(motion[index])}
        return sensors, int(label[index])


again = run(config, own=Own(data=from_torch_dataset("events", Events())))
print(f"read from the Dataset: the same mean accuracy, {again['mean_accuracy']:.2f}")
assert again["mean_accuracy"] == summary["mean_accuracy"]
