"""Servers to measure against: python-hl7 with two bare ORM inserts, and the floor: bare Core inserts of the same rows in groups."""

import asyncio
import sys
from typing import Any

import hl7
import sqlalchemy as sa
from hl7.mllp import start_hl7_server
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from ris.base.database import make_engine
from ris.bootstrap import METADATA


class Base(DeclarativeBase):
    pass


class BarePatient(Base):
    __tablename__ = "patient"

    id: Mapped[int] = mapped_column(primary_key=True)
    mrn: Mapped[str] = mapped_column(unique=True)
    family: Mapped[str]
    given: Mapped[str]
    birth_date: Mapped[str]


class BareOrder(Base):
    __tablename__ = "bare_order"

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(sa.ForeignKey("patient.id"))
    placer_number: Mapped[str] = mapped_column(unique=True)
    code: Mapped[str]
    raw: Mapped[str]


async def python_hl7(database: str) -> None:
    """What a Python shop would write in an afternoon: parse, two inserts, commit, acknowledge."""
    engine = make_engine(f"sqlite:///{database}")
    Base.metadata.create_all(engine)

    def apply(message: hl7.Message) -> None:
        with Session(engine) as session:
            patient = BarePatient(
                mrn=str(message["PID.F3.R1.C1"]), family=str(message["PID.F5.R1.C1"]), given=str(message["PID.F5.R1.C2"]),
                birth_date=str(message["PID.F7"]),
            )  # fmt: skip
            session.add(patient)
            session.flush()
            placer, code = str(message["ORC.F2.R1.C1"]), str(message["OBR.F4.R1.C1"])
            session.add(BareOrder(patient_id=patient.id, placer_number=placer, code=code, raw=str(message)))
            session.commit()

    async def serve(reader: Any, writer: Any) -> None:
        while not writer.is_closing():
            try:
                message = await reader.readmessage()
            except asyncio.IncompleteReadError:
                break
            apply(message)
            writer.writemessage(message.create_ack())
            await writer.drain()
        writer.close()

    server = await start_hl7_server(serve, host="127.0.0.1", port=0, encoding="utf-8")
    await _announce(server)


ROWS = ("patient", "patient_identifier", "visit", "imaging_order", "requested_procedure", "event", "audit_entry")
"""What one order leaves behind, besides its journal row."""


class Floor(asyncio.Protocol):
    """Reads nothing but MSH-10 and inserts the same number of rows, per table one executemany for all that waits."""

    waiting: "list[tuple[Floor, bytes]]" = []  # noqa: RUF012 (one queue for all connections is the point)

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.buffer = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        *frames, self.buffer = (self.buffer + data).split(b"\x1c\r")
        for frame in frames:
            if not Floor.waiting:
                asyncio.get_running_loop().call_soon(self._commit)
            Floor.waiting.append((self, frame))

    def _commit(self) -> None:
        group, Floor.waiting = Floor.waiting, []
        ids = [frame.split(b"|", 10)[9] for _, frame in group]
        with self.engine.begin() as connection:
            connection.execute(sa.text("INSERT INTO bare_message (control_id, raw) VALUES (:c, :r)"),
                               [{"c": i, "r": f} for i, (_, f) in zip(ids, group, strict=True)])  # fmt: skip
            for table in ROWS:
                connection.execute(
                    sa.text(f"INSERT INTO bare_{table} (k, a, b, c, d) VALUES (:k, :a, :b, :c, :d)"),
                    [{"k": i, "a": "a" * 20, "b": "b" * 20, "c": "c" * 20, "d": "d" * 20} for i in ids],
                )
        for (peer, _), control_id in zip(group, ids, strict=True):
            if not peer.transport.is_closing():
                peer.transport.write(b"\x0bMSH|^~\\&|P|P|P|P|20260801||ACK|1|P|2.3.1\rMSA|AA|" + control_id + b"\r\x1c\r")


async def floor(database: str) -> None:
    assert set(ROWS) <= set(METADATA.tables)
    engine = make_engine(f"sqlite:///{database}")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE bare_message (id INTEGER PRIMARY KEY, control_id TEXT UNIQUE, raw BLOB)"))
        for table in ROWS:
            connection.execute(
                sa.text(f"CREATE TABLE bare_{table} (id INTEGER PRIMARY KEY, k TEXT UNIQUE, a TEXT, b TEXT, c TEXT, d TEXT)")
            )
    await _announce(await asyncio.get_running_loop().create_server(lambda: Floor(engine), "127.0.0.1", 0))


async def _announce(server: asyncio.Server) -> None:
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run({"python-hl7": python_hl7, "floor": floor}[sys.argv[1]](sys.argv[2]))
