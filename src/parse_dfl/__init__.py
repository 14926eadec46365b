"""Multimodal decentralized federated learning: PARSE and its rivals."""

__version__ = "0.1.0"
