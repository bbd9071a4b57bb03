"""The views of orders, gathered on one blueprint."""

from ris.web.pages.orders import documents, revising
from ris.web.pages.orders.views import bp

__all__ = ("bp", "documents", "revising")
