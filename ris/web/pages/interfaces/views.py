"""The interface pages: what flows, every message, every delivery."""

from ris.web.pages.interfaces import bench, correct, deliveries, message, messages, replay, status
from ris.web.pages.interfaces.blueprint import bp

PARTS = (status, messages, message, replay, deliveries, correct, bench)
"""Each hangs its views on the blueprint when it is loaded."""

__all__ = ["PARTS", "bp"]
