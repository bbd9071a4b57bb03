"""The interface pages: what flows, every message, every delivery."""

from ris.web.pages.interfaces import deliveries, message, messages, status
from ris.web.pages.interfaces.blueprint import bp

PARTS = (status, messages, message, deliveries)
"""Each hangs its views on the blueprint when it is loaded."""

__all__ = ["PARTS", "bp"]
