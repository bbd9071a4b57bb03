"""Reference data as CSV files: everything wrong is named by line, what is right is taken whole, and the same file twice changes nothing."""

import io
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa

from ris.audit.model import AuditEntry
from ris.base.csv_text import csv_text
from ris.bootstrap import Ris
from ris.catalog.model import Material, Procedure, RoomProcedure
from ris.imports import KINDS
from ris.imports.kind import Finding, Verdict
from ris.imports.reading import BadFile
from ris.imports.run import Order, Result, apply, look
from tests.factories.hospital import Hospital

MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


@dataclass
class House:
    """Takes files in, and remembers what was said of the last one."""

    ris: Ris
    hospital: Hospital
    said: list[Finding] = field(default_factory=list)

    def order(self, kind: str) -> Order:
        return Order(KINDS[kind], self.hospital.actor("administrator"), f"{kind}.csv")

    def look(self, kind: str, text: str) -> Result:
        self.said = []
        return look(self.ris, self.order(kind), io.BytesIO(text.encode()), self.said.append)

    def apply(self, kind: str, text: str) -> Result:
        self.said = []
        return apply(self.ris, self.order(kind), io.BytesIO(text.encode()), self.said.append)

    def exported(self, kind: str) -> str:
        export = KINDS[kind].export
        assert export is not None
        with self.ris.read() as session:
            return csv_text([KINDS[kind].column_names, *export(session)])

    def procedure(self, code: str) -> Procedure:
        with self.ris.read() as session:
            return session.scalars(sa.select(Procedure).where(Procedure.code == code)).one()

    def count(self, what: str) -> int:
        with self.ris.read() as session:
            return session.scalar(sa.select(sa.func.count(AuditEntry.id)).where(AuditEntry.what == what)) or 0


@pytest.fixture
def house(ris: Ris, hospital: Hospital) -> House:
    return House(ris, hospital)


def test_a_file_is_looked_at_taken_in_whole_and_changes_nothing_the_second_time(house: House) -> None:
    text = (
        f"{MARK}code;name;modality;minutes;contrast;technical_code;technical_amount\r\n"
        "CTHEAD;CT head, plain;CT;25;no;CTHEAD-T;120.00\r\n"
        '\r\nCTKNEE;"CT knee; either";CT;20;yes;T-KNEE;280.5\r\n'
    )
    wrong = house.look("procedure", text)
    assert (wrong.lines, wrong.is_right) == (2, False)
    assert [(f.line, f.column) for f in house.said if f.verdict is Verdict.wrong] == [(4, "technical_amount")]
    assert "120.50" in house.said[-1].fix

    text = text.replace("280.5\r", "280.50\r")
    seen = house.look("procedure", text)
    assert seen.counts == {Verdict.changed: 1, Verdict.new: 1}
    assert (house.said[0].before, house.said[0].after) == (
        {"name": "CT head without contrast", "minutes": "20"},
        {"name": "CT head, plain", "minutes": "25"},
    )
    assert house.procedure("CTHEAD").minutes == 20
    assert not seen.applied

    assert house.apply("procedure", text).applied
    assert (house.procedure("CTHEAD").minutes, house.procedure("CTHEAD").preparation) == (25, "None.")
    assert (house.procedure("CTKNEE").name, house.procedure("CTKNEE").technical_amount) == ("CT knee; either", 28_050)
    assert (house.count("catalog.procedure_added"), house.count("catalog.procedure_changed"), house.count("import.applied")) == (1, 1, 1)

    assert house.apply("procedure", text).counts == {Verdict.unchanged: 2}
    assert (house.procedure("CTHEAD").row_version, house.count("import.applied")) == (2, 1)
    assert house.look("procedure", house.exported("procedure")).counts == {Verdict.unchanged: 7}

    rooms = "procedure,room,minutes,set_up_minutes,clean_up_minutes\nCTKNEE,CT1,20,5,10\nCTKNEE,CT9,20,5,10\nNOPE,CT1,1,0,0\n"
    assert house.look("duration", rooms).counts == {Verdict.new: 1, Verdict.wrong: 2}
    assert [(f.line, f.column, f.what) for f in house.said[1:]] == [
        (3, "room", "CT9 is no room of ours"),
        (4, "procedure", "NOPE is no procedure of ours"),
    ]
    assert house.apply("duration", rooms[: rooms.index("CTKNEE,CT9")]).applied
    with house.ris.read() as session:
        of_knee = RoomProcedure.procedure_id == house.procedure("CTKNEE").id
        assert session.scalars(sa.select(RoomProcedure).where(of_knee)).one().taken == 35


def test_every_error_is_named_by_line_and_column_with_a_fix_and_nothing_stays(house: House) -> None:
    text = (
        "code,name,kind,unit,charge_code,charge_amount,active\n"
        "SALINE,Saline,supply,ml,,,yes\n"
        "SALINE,Saline again,supply,ml,,,yes\n"
        "A B,,poison,ml,,,maybe\n"
        "IODINE,Iodine,contrast,ml,,12.00,yes\n"
        "SHORT,Short,supply\n"
        "BELL,Be\x07ll,supply,piece,,,yes\n"
    )
    house.apply("material", text)
    found = {(f.line, f.column): f for f in house.said if f.verdict is Verdict.wrong}
    assert set(found) == {
        (3, "code"), (4, "code"), (4, "name"), (4, "kind"), (4, "active"), (5, "charge_code"), (6, ""), (7, "name"),
    }  # fmt: skip
    assert found[3, "code"].what == "SALINE stands in line 2 already"
    assert found[4, "kind"].fix == "write one of contrast, medication, tracer, supply"
    assert all(finding.fix for finding in found.values())
    with house.ris.read() as session:
        assert session.scalar(sa.select(sa.func.count(Material.id))) == 0
    assert house.count("import.applied") == 0


def test_a_file_that_cannot_be_read_says_why(house: House) -> None:
    for content, said in (
        (b"", "the first line is empty"),
        ("code,name\nX,Gr\u00f6\u00dfe".encode("utf-16"), "save it as"),
        (b"code,colour\nX,red\n", "there is no column colour in a file of materials; there are code, name"),
        (b"code,name,code\n", "the column code is there twice"),
        (b"name\nX\n", "the column code is missing"),
        (b'code,name\nX,"' + b"y" * 300_000, "look for a quotation mark without its partner"),
    ):
        with pytest.raises(BadFile, match=said):
            look(house.ris, house.order("material"), io.BytesIO(content), house.said.append)


def test_a_line_in_another_encoding_is_wrong_alone(house: House) -> None:
    content = "code,name,kind,unit\nA,Größe,supply,ml\nB,".encode() + "Größe".encode("latin-1") + b",supply,ml\n"
    result = look(house.ris, house.order("material"), io.BytesIO(content), house.said.append)
    assert result.counts == {Verdict.wrong: 1, Verdict.new: 1}
    assert [(f.line, f.column, f.what) for f in house.said if f.verdict is Verdict.wrong] == [(3, "name", "is not written in UTF-8")]


def test_a_formula_goes_out_harmless_and_comes_back_as_it_was(house: House) -> None:
    house.apply("material", "code,name,kind,unit\nPLUS,'=1+1,supply,ml\n")
    assert "PLUS,'=1+1," in house.exported("material")
    assert house.look("material", house.exported("material")).counts == {Verdict.unchanged: 1}
    with house.ris.read() as session:
        assert session.scalars(sa.select(Material.name)).one() == "=1+1"
