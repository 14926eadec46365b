"""An agent's sensor breaks while it trains, and is repaired later.

The agent leaves the overlays of the branches that it cannot compute any more, carries on with the
rest, and joins again with the neighbours' help.
"""

import tempfile
from pathlib import Path

from parse_dfl import RunConfig, TrainingConfig, load_agent, load_data, run

config = RunConfig(
    agents="top=4,bottom+top=4",
    training=TrainingConfig(rounds=30),
    # ROUND:AGENT:-MODALITY is lost before that round, +MODALITY gained.
    events=("6:bottom+top-0:-bottom", "16:bottom+top-0:+bottom", "21:top-3:+bottom"),
)

with tempfile.TemporaryDirectory() as folder:
    out = Path(folder) / "run"
    summary = run(config, out=out)
    for row in summary["agents"]:
        print(f"{row['name']:13} ends with {row['group']:11} {row['accuracy']:.2f}")

    agent = load_agent(out / "agents" / "top-3.safetensors")

# top-3 gained its second camera in round 21, and still predicts from either one.
digits = load_data("digits")
seen = {name: values[:200] for name, values in digits.modalities.items()}
for cameras in (["top"], ["bottom"], ["top", "bottom"]):
    right = agent.predict({name: seen[name] for name in cameras}) == digits.label[:200]
    print(f"top-3 by {' and '.join(cameras):15} {right.mean():.2f}")
