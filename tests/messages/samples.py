"""Our own sample messages, one maker for each class; who is named in them is invented."""

import itertools

_numbers = itertools.count(1)


def message(*segments: str) -> bytes:
    return ("\r".join(segment for segment in segments if segment) + "\r").encode()


def msh(
    kind: str, control_id: str = "", *, sender: str = "EHR|HOSP", processing: str = "P", version: str = "2.5.1", charset: str = ""
) -> str:
    """MSH; without a control id it gets the next one. `-` leaves MSH-10 empty."""
    number = {"": f"C{next(_numbers):06d}", "-": ""}.get(control_id, control_id)
    return rf"MSH|^~\&|{sender}|RIS|RAD|20261124120000||{kind}|{number}|{processing}|{version}||||||{charset}"


def pid(mrn: str = "M1", name: str = "Meadow^Anna", born: str = "19700517", sex: str = "F", *, alias: str = "", address: str = "",
        phone: str = "") -> str:  # fmt: skip
    numbers = "~".join(number if "^" in number else f"{number}^^^HOSP^MR" for number in mrn.split("~")) if mrn else ""
    return f"PID|1||{numbers}||{name}||{born}|{sex}|{alias}||{address}||{phone}"


def pv1(number: str = "", patient_class: str = "O", location: str = "CLINIC^R1") -> str:
    return _numbered("PV1", {1: "1", 2: patient_class, 3: location, 19: number}, {})


def adt(trigger: str, *segments: str, control_id: str = "") -> bytes:
    return message(msh(f"ADT^{trigger}^ADT_{trigger}", control_id), f"EVN|{trigger}|20261124120000", *segments)


def merge(survivor: str, loser: str, control_id: str = "") -> bytes:
    """A40: PID-3 survives, MRG-1 is no more."""
    return adt("A40", pid(survivor, "", "", ""), f"MRG|{loser}^^^HOSP^MR", control_id=control_id)


def orc(control: str, placer: str, **fields: str) -> str:
    """`fields` by number, as `f7='^^^2026112512'`."""
    return _numbered("ORC", {1: control, 2: placer}, fields)


def obr(placer: str, code: str = "CTHEAD^CT head^L", **fields: str) -> str:
    return _numbered("OBR", {1: "1", 2: placer, 4: code}, fields)


def _numbered(name: str, given: dict[int, str], fields: dict[str, str]) -> str:
    values = given | {int(key[1:]): value for key, value in fields.items()}
    return "|".join([name, *(values.get(number, "") for number in range(1, max(values) + 1))])


def orm(*segments: str, control_id: str = "") -> bytes:
    return message(msh("ORM^O01^ORM_O01", control_id), *segments)


def order(placer: str = "P1^EHR", code: str = "CTHEAD^CT head^L", mrn: str = "M1", control: str = "NW", control_id: str = "") -> bytes:
    """A new order for one procedure."""
    return orm(pid(mrn), orc(control, placer), obr(placer, code), control_id=control_id)


def cancel(placer: str = "P1^EHR", mrn: str = "M1", control: str = "CA", control_id: str = "") -> bytes:
    return orm(pid(mrn), orc(control, placer), control_id=control_id)
