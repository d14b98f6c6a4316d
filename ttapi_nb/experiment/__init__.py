"""Many prompts, photos, models and sizes as one experiment: planned, sent once, judged and told."""

from __future__ import annotations

from .board import State, TrialCell
from .cells import Cell, Skipped
from .experiment import Experiment
from .forecast import Forecast
from .photos import Photo
from .prompts import Prompt
from .trial import Trial

__all__ = ["Cell", "Experiment", "Forecast", "Photo", "Prompt", "Skipped", "State", "Trial", "TrialCell"]
