"""An agent's sensor breaks while it trains, and is repaired later.

The agent leaves the overlays of the branches that it cannot compute any more, carries on with the
rest, and joins again with the neighbours' help.
"""

from parse_dfl import Federation, ModalityChange, load_dataset

digits = load_dataset("digits")
federation = Federation(
    digits,
    agents={"top": 4, "bottom+top": 4},
    changes=[
        ModalityChange(round=6, agent="bottom+top-0", loses="bottom"),
        ModalityChange(round=16, agent="bottom+top-0", gains="bottom"),
        ModalityChange(round=21, agent="top-3", gains="bottom"),
    ],
)
result = federation.fit(rounds=30)
for agent in result.summary.agents:
    print(f"{agent.name:13} ends with {agent.group:11} {agent.accuracy:.2f}")

# top-3 gained its second camera in round 21, and still predicts from either one.
for cameras in (["top"], ["bottom"], ["top", "bottom"]):
    found = result.agents["top-3"].predict({name: digits[name][:200] for name in cameras})
    print(f"top-3 by {' and '.join(cameras):15} {(found == digits.label[:200]).mean():.2f}")
