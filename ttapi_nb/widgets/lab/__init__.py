"""The prompt lab: an experiment as a form, a grid that fills, votes and a ranking."""

from __future__ import annotations

from .lab import PromptLab

__all__ = ["PromptLab"]
