"""Every option that sets something of the configuration, in one table.

An option's type and default come from the dataclass field that it names; the table adds the
flag and the sentence that ``--help`` shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option: ``place`` is the setting's place in the configuration (``training.lr``)."""

    flag: str
    place: str
    metavar: str
    help: str


def _option(flag: str, place: str, metavar: str, text: str) -> Option:
    return Option(flag=flag, place=place, metavar=metavar, help=text)


GROUPS: Mapping[str, tuple[Option, ...]] = {
    "data and agents": (
        _option("--data", "data.data", "NAME|FILE", "a name that 'data' lists, or a .npz file"),
        _option("--agents", "agents", "MIX", "agents per modality set, as acc=5,gyro=5,acc+gyro=5"
                " (two modalities a, b: a=5,b=5,a+b=5)"),
        _option("--partition", "data.partition", "RULE",
                "samples over agents: iid, dirichlet:ALPHA or subject"),
        _option("--samples-per-agent", "data.samples_per_agent", "COUNT",
                "training samples of each agent: 64, a range 16..128, or by set acc=64,gyro=16..32"
                " (else at most 64)"),
        _option("--test", "data.test", "RULE",
                "test part: auto, is_test, subject:3,7 or fraction:0.2"),
        _option("--evaluate-on", "data.evaluate_on", "PART",
                "test, or validation while you are still tuning"),
        _option("--standardise", "data.standardise", "RULE",
                "inputs by each agent's own samples, or by moments agreed on by gossip: own or"
                " agreed"),
        _option("--data-dir", "data.data_dir", "DIR", "folder of the named sets"
                " (else the environment's PARSE_DFL_DATA)"),
        _option("--kind", "data.kind", "MODALITY=KIND", "kind that the shape does not tell: vector,"
                " series, image or video, with its axes as in image:chw; repeatable"),
        _option("--subject-key", "data.subject_key", "KEY", "column that says whose a sample is"),
    ),
    "method and network": (
        _option("--method", "method", "NAME", "one of the methods listed below, or parse@RULE"),
        _option("--option", "method_options", "NAME=VALUE", "an option of the method; repeatable"),
        _option("--latent", "network.latent", "D", "width of a modality's latent"),
        _option("--hidden", "network.hidden", "WIDTH", "width of hidden layers"),
        _option("--split", "network.split", "R,U,S|auto",
                "relative widths of the redundant, unique and synergistic slice; 0 leaves one out;"
                " auto: by the bits that the training data have of each"),
        _option("--fusion", "network.fusion", "NAME", "concat, sum, product, gated or attention"),
        _option("--dropout", "network.dropout", "P", "share of units dropped in training"),
        _option("--encoder", "network.encoders", "[SET:]MODALITY=NAME",
                "encoder of a modality, for all agents or those of one set; repeatable"),
    ),
    "local training": (
        _option("--rounds", "training.rounds", "T", "rounds of local training and mixing"),
        _option("--local-epochs", "training.local_epochs", "E", "passes over the samples a round"),
        _option("--local-steps", "training.local_steps", "K",
                "batches a round, in place of --local-epochs"),
        _option("--batch-size", "training.batch_size", "B", "samples a batch"),
        _option("--optimizer", "training.optimizer", "NAME", "adam, adamw or sgd"),
        _option("--lr", "training.lr", "RATE", "learning rate (else the method's own)"),
        _option("--schedule", "training.schedule", "NAME", "of the rate: cosine or constant"),
        _option("--momentum", "training.momentum", "M", "momentum of sgd; β₁ of adam and adamw"),
        _option(
            "--global-momentum",
            "training.global_momentum",
            "M",
            "move on by this share of the last round's way, exchange included",
        ),
        _option("--weight-decay", "training.weight_decay", "W", "weight decay"),
        _option("--prior-correction", "training.prior_correction", "TAU",
                "logit adjustment by local label counts; 0: plain cross-entropy"),
        _option("--dtype", "training.dtype", "NAME", "float32, float64 or bfloat16"),
        _option("--mixed-precision", "training.mixed_precision", "",
                "forward passes in bfloat16; pays on CUDA"),
    ),
    "exchange": (
        _option("--topology", "overlay.topology", "NAME",
                "overlay of each branch, as ring, regular:4, erdos-renyi:0.3, file:PATH"),
        _option("--by-samples", "overlay.by_samples", "", "weight agents by their sample counts"),
        _option("--share-moments", "training.share_moments", "NAME",
                "none, or second: average Adam's second moment too, at twice the payload"),
        _option("--robust", "overlay.robust", "RULE",
                "averaging that withstands liars: none, clipping, balance or trimmed-mean, with"
                " settings as clipping:liars=2, balance:gamma=1,kappa=1, trimmed-mean:liars=0.2"),
        _option("--liar", "overlay.liars", "AGENT:ATTACK",
                "an agent sends false parameters: random, sign-flip or scale, with a strength as"
                " acc-0:scale:10; repeatable"),
        _option("--absence", "overlay.absence", "P", "probability that an agent misses a round"),
        _option("--event", "events", "ROUND:AGENT:+MODALITY",
                "an agent gains (+) or loses (-) a modality before a round; repeatable"),
    ),
    "evaluation and machine": (
        _option("--eval-every", "eval_every", "ROUNDS", "rounds between evaluations"),
        _option("--eval-samples", "eval_samples", "COUNT",
                "test samples used while training; the end uses all"),
        _option("--record", "record", "NAME",
                "also measure at every evaluation: conflict (of gradients); repeatable"),
        _option("--checkpoint-every", "checkpoint_every", "ROUNDS", "rounds between checkpoints"),
        _option("--seed", "seed", "N", "seed of everything random"),
        _option("--device", "device", "NAME", "cpu, cuda or cuda:N"),
        _option("--compile", "compile", "", "compile the training steps: a minute at the start"),
        _option("--memory-limit", "training.memory_limit", "SIZE",
                "what the process may hold, such as 2GiB: rows are worked on in chunks that fit"),
        _option("--engine", "engine", "NAME",
                "simulate: all agents in this process; peers: a process each, over the network"),
    ),
    "peers (--engine peers)": (
        _option("--pace", "peer.pace", "NAME",
                "synchronous rounds, or asynchronous gossip at each peer's own pace"),
        _option("--deadline", "peer.deadline_s", "SECONDS",
                "a synchronous round waits for neighbours no longer"),
        _option("--least-round", "peer.least_round_s", "SECONDS",
                "a round lasts so long at least, and spares the processor meanwhile"),
        _option("--lease", "peer.lease_s", "SECONDS", "a peer silent for so long is gone"),
        _option("--window", "peer.window", "ROUNDS",
                "rounds for which a neighbour's state may be used"),
        _option("--staleness", "peer.staleness", "POWER",
                "asynchronous: an age of a rounds weighs (1 + a)^-POWER"),
        _option("--insecure", "peer.insecure", "",
                "no certificates, no encryption: for trials on one machine"),
    ),
}  # fmt: skip
