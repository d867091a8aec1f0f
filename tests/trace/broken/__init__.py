"""Small drivers with one bug each, and the correct one that they derive from."""
from . import commands, rings, setup
from .correct import CorrectDriver, Stuck

BROKEN = [*setup.ALL, *rings.ALL, *commands.ALL]

__all__ = ["BROKEN", "CorrectDriver", "Stuck"]
