"""A procedure of two steps: an injection, and images two to four hours after it."""

from datetime import time

from ris.bootstrap import Ris
from ris.catalog.model import Modality, OpeningHours, Procedure, Room, RoomProcedure, StepPlan
from tests.factories.hospital import Hospital

CODE = "NMBONE"
INJECTION, IMAGES = 15, 45
GAP = (120, 240)


def add_bone_scan(ris: Ris, hospital: Hospital) -> None:
    """Two rooms of MAIN, NM0 for the injection and NM1 for the images; all are then in `hospital`."""
    with ris.uow() as uow:
        rooms = [
            uow.add(Room(site_id=hospital.sites["MAIN"], code=code, name=f"Room {code}", modality=Modality.NM, station_ae_title=""))
            for code in ("NM0", "NM1")
        ]  # fmt: skip
        procedure = uow.add(Procedure(code=CODE, name="NM bone scan", modality=Modality.NM, minutes=IMAGES, preparation="Drink a lot."))
        uow.session.flush()
        for room in rooms:
            hospital.rooms[room.code] = room.id
            for weekday in range(7):
                uow.add(OpeningHours(room_id=room.id, weekday=weekday, opens=time(7), closes=time(19)))
        hospital.procedures[CODE] = procedure.id
        uow.add(StepPlan(procedure_id=procedure.id, step=1, name="injection"))
        uow.add(StepPlan(procedure_id=procedure.id, step=2, name="images", gap_min_minutes=GAP[0], gap_max_minutes=GAP[1]))
        uow.add(RoomProcedure(room_id=rooms[0].id, procedure_id=procedure.id, step=1, minutes=INJECTION))
        uow.add(RoomProcedure(room_id=rooms[1].id, procedure_id=procedure.id, step=2, minutes=IMAGES))
