"""Objects in, a result out: fit one method, then compare three.

Run it with ``python examples/quickstart.py``.
"""

from parse_dfl import Dirichlet, Federation, Regular, compare, load_dataset
from parse_dfl.methods import DSGD, Harmony, Parse

data = load_dataset("digits")  # or Dataset.from_arrays / from_dataframe / from_torch
federation = Federation(
    data,
    agents={"top": 5, "bottom": 5, "top+bottom": 5},
    partition=Dirichlet(0.3),
    topology=Regular(degree=4),
)
result = federation.fit(Parse(contrastive_weight=0.15), rounds=10, seed=0)
print(result)  # the table; in a notebook an HTML table
print(result.curves.tail(3))  # a DataFrame: round, group, accuracy, ...
print(result.agents["top-0"].predict({"top": data["top"][:9]}))
study = compare(federation, [Parse(), Harmony(tau=0.1), DSGD("hybrid")], seeds=range(3), rounds=10)
print(study.best, study.difference("parse", "harmony"))
study.save("runs/demo")
print(study.report())
