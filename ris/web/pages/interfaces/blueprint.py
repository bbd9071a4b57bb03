"""The blueprint that all interface pages share."""

from flask import Blueprint

bp = Blueprint("interfaces", __name__, url_prefix="/interfaces", template_folder="templates")
