"""The blueprint that all interface pages share, and the tabs that lead from one to the other."""

from typing import Any

from flask import Blueprint, url_for

from ris.staff.permission import Permission
from ris.web.access import may_anywhere

bp = Blueprint("interfaces", __name__, url_prefix="/interfaces", template_folder="templates")

TABS = (
    ("interfaces.index", "Connections", Permission.INTERFACE_READ),
    ("interfaces.messages", "Messages", Permission.INTERFACE_READ),
    ("interfaces.deliveries", "Deliveries", Permission.INTERFACE_READ),
    ("interfaces.bench", "Test bench", Permission.INTERFACE_MANAGE),
)


@bp.context_processor
def tabs() -> dict[str, Any]:
    """Those that the person may open."""
    return {"tabs": [(endpoint, label, url_for(endpoint)) for endpoint, label, permission in TABS if may_anywhere(permission)]}
