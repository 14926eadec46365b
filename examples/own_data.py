"""Your own data: arrays, a pandas ``DataFrame``, or a torch ``Dataset``.

Run it with ``python examples/own_data.py``.
"""

import numpy as np
import pandas as pd

from parse_dfl import Dataset, Federation
from parse_dfl.methods import Parse

# Two sensors watch the same 600 events: a spectrum of 12 numbers, and 20 steps of 3 channels.
rng = np.random.default_rng(0)
label = rng.integers(0, 4, 600)
sound = rng.normal(label[:, None] % 2, 1.0, (600, 12)).astype(np.float32)
motion = rng.normal(label[:, None, None] // 2, 1.5, (600, 20, 3)).astype(np.float32)

# Arrays hold samples first.  The kind of a modality (here: vector and series), and with it the
# encoder, follows from the shape of a sample; ``kinds={"sound": "vector"}`` would overrule it.
names = ["none", "A", "B", "both"]
data = Dataset.from_arrays({"sound": sound, "motion": motion}, label, label_names=names)

# Who owns what.  The last three own both sensors; nobody sees another agent's samples.
agents = {"sound": 3, "motion": 3, "motion+sound": 3}
result = Federation(data, agents).fit(Parse(), rounds=20)
print(result)

# The same from a torch Dataset, whose items are ({modality: tensor}, label) or as here tuples.
items = [((sound[i], motion[i]), label[i]) for i in range(600)]
again = Federation(Dataset.from_torch(items, ["sound", "motion"]), agents).fit(rounds=20)
print(f"read from the Dataset: the same mean accuracy, {again.accuracy:.2f}")

# And from a table: the columns of each modality.
table = pd.DataFrame(sound).add_prefix("hz").assign(event=label)
print(Dataset.from_dataframe(table, {"low": ["hz0", "hz1"], "high": ["hz10", "hz11"]}, "event"))
