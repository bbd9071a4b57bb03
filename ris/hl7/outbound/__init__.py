"""Building the messages that leave: one module each, listed in one table by the name that a subscription uses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ris.hl7.outbound import adt, dft_p03, mdm_t02, omi_o23, orm_o01, orm_o01_zds, oru_r01, siu_s12, study
from ris.hl7.outbound.header import Built, Job

Builder = Callable[[Job], Built]

BUILDERS: Mapping[str, Builder] = {
    "adt_a08": adt.update,
    "adt_a37": adt.unmerge,
    "adt_a40": adt.merge,
    "dft_p03": dft_p03.build,
    "mdm_t02": mdm_t02.build,
    "omi_o23": omi_o23.build,
    "orm_o01": orm_o01.build,
    "orm_o01_zds": orm_o01_zds.build,
    "oru_r01": oru_r01.build,
    "oru_r01_sections": oru_r01.build_sections,
    "siu_s12": siu_s12.build,
}

TELLS: Mapping[str, tuple[str, ...]] = {
    "adt_a08": adt.UPDATES,
    "adt_a37": ("patient.unmerged",),
    "adt_a40": ("patient.merged",),
    "dft_p03": dft_p03.EVENTS,
    "mdm_t02": ("report.published",),
    "omi_o23": tuple(study.SAID),
    "orm_o01": tuple(orm_o01.SAID),
    "orm_o01_zds": tuple(study.SAID),
    "oru_r01": ("report.published",),
    "oru_r01_sections": ("report.published",),
    "siu_s12": tuple(siu_s12.SAID),
}
"""The events that each message is made for; a subscription to another one would be parked."""

_STUDY = ("scheduling.booked", "scheduling.moved", "scheduling.cancelled", "scheduling.missed", "scheduling.miss_undone",
          "order.changed", "order.procedure_mapped", "order.procedure_changed", "order.split", "order.rejoined",
          "order.procedure_cancelled", "exam.completed", "exam.discontinued",
          "exam.completion_undone", "exam.discontinuation_undone")  # fmt: skip
_PATIENT = {**dict.fromkeys(adt.UPDATES, "adt_a08"), "patient.merged": "adt_a40", "patient.unmerged": "adt_a37"}

DEFAULTS: Mapping[str, str] = {
    "order.cancelled": "orm_o01",
    "order.procedure_changed": "orm_o01",
    "order.split": "orm_o01",
    "order.rejoined": "orm_o01",
    "order.replaced": "orm_o01",
    "exam.started": "orm_o01",
    "exam.completed": "orm_o01",
    "exam.discontinued": "orm_o01",
    "exam.start_undone": "orm_o01",
    "exam.completion_undone": "orm_o01",
    "exam.discontinuation_undone": "orm_o01",
    "exam.done_otherwise": "orm_o01",
    "report.published": "oru_r01",
}
"""What a placer is told unless a person chooses otherwise: event to message."""


@dataclass(frozen=True, slots=True)
class Role:
    """What a kind of partner is usually told: event to message, and whether only of the orders that it has placed."""

    messages: Mapping[str, str]
    own_orders_only: bool


ROLES: Mapping[str, Role] = {
    "placer": Role(DEFAULTS, own_orders_only=True),
    "appointments": Role(dict.fromkeys(siu_s12.SAID, "siu_s12"), own_orders_only=True),
    "image-manager-2.3.1": Role({**dict.fromkeys(_STUDY, "orm_o01_zds"), **_PATIENT}, own_orders_only=False),
    "image-manager-2.5.1": Role({**dict.fromkeys(_STUDY, "omi_o23"), **_PATIENT}, own_orders_only=False),
    "billing": Role(dict.fromkeys(dft_p03.EVENTS, "dft_p03"), own_orders_only=False),
    "documents": Role({"report.published": "mdm_t02"}, own_orders_only=False),
}
