"""Your own overlay: any connected networkx graph over the agents' names.

Each branch uses what its owners see of the graph: the backbone of ``top`` crosses the links
between agents that own ``top``, and no others.
"""

import networkx as nx

from parse_dfl import Federation

# Agents are called GROUP-NUMBER, in the order of the mix.
camera = [f"top-{number}" for number in range(4)]
both = [f"bottom+top-{number}" for number in range(4)]

# A chain of sites, each with one agent of each group, linked inside and to the next site.
graph = nx.Graph(name="sites")
nx.add_path(graph, camera)
nx.add_path(graph, both)
graph.add_edges_from(zip(camera, both, strict=True))

result = Federation("digits", {"top": 4, "bottom+top": 4}, topology=graph).fit(rounds=20)
print(f"on your graph: {result.accuracy:.3f}")
for overlay in result.summary.overlays:
    print(f"  {overlay.label:12} {len(overlay.members)} owners, {len(overlay.edges)} links")
