"""Gradient conflict between uni- and multimodal agents, method by method: see README.md."""
