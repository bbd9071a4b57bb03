"""Documents of orders on both engines: what is let in, what it is called, and that nothing is lost."""

import pytest
import sqlalchemy as sa

from ris.base.errors import Conflict, Invalid, NotFound
from ris.bootstrap import Ris
from ris.order import documents
from ris.order.model import DocumentContent, DocumentKind
from tests.factories.hospital import Hospital
from tests.factories.orders import make_order

PDF, PNG, JPEG = b"%PDF-1.7 one", b"\x89PNG\r\n\x1a\n two", b"\xff\xd8\xff\xe0 three"


@pytest.fixture
def order_id(ris: Ris, hospital: Hospital) -> int:
    with ris.uow(hospital.actor("scheduler")) as uow:
        return make_order(uow, hospital).id


def attach(ris: Ris, order_id: int, content: bytes, name: str = "scan.pdf") -> int:
    with ris.uow() as uow:
        return documents.attach(uow, order_id, kind=DocumentKind.consent, name=name, content=content).id


def test_a_file_comes_back_as_it_was_under_a_name_that_fits_what_it_is(ris: Ris, order_id: int) -> None:
    ids = [attach(ris, order_id, content, name) for content, name in ((PDF, "Consent"), (PNG, "page.pdf"), (JPEG, "photo.JPG"))]
    with ris.read() as session:
        found = [documents.document(session, order_id, document_id) for document_id in ids]
    assert [(row.file_name, row.media_type, content) for row, content in found] == [
        ("Consent.pdf", "application/pdf", PDF), ("page.pdf.png", "image/png", PNG), ("photo.JPG", "image/jpeg", JPEG),
    ]  # fmt: skip


def test_a_name_is_made_harmless(ris: Ris, order_id: int) -> None:
    names = ("../../etc/passwd", "C:\\scans\\a.pdf", 'a"\r\nSet-Cookie: x.pdf', "<svg onload=x>.pdf", "‮fdp.exe", "..", "é" * 300 + ".pdf")
    for number, name in enumerate(names):
        attach(ris, order_id, PDF + str(number).encode(), name)
    with ris.read() as session:
        kept = [row.file_name for row in documents.documents(session, order_id)]
    assert kept[:6] == ["passwd.pdf", "a.pdf", "aSet-Cookie x.pdf", "svg onload=x.pdf", "fdp.exe.pdf", "consent.pdf"]
    assert len(kept[6]) == documents.LONGEST_NAME


@pytest.mark.parametrize(
    "content", [b"", b"MZ\x90 a program", b"<html><script>", b"GIF89a", b"PK\x03\x04", b" %PDF-1.7", PDF + b"x" * documents.MOST_BYTES]
)
def test_what_is_no_paper_is_refused(ris: Ris, order_id: int, content: bytes) -> None:
    with pytest.raises(Invalid):
        attach(ris, order_id, content)


def test_the_same_file_again_is_no_second_document_and_there_is_an_end(ris: Ris, order_id: int) -> None:
    assert attach(ris, order_id, PDF) == attach(ris, order_id, PDF, "again.pdf")
    with ris.uow() as uow:
        for number in range(1, documents.MOST_OF_AN_ORDER):
            documents.attach(uow, order_id, kind=DocumentKind.other, name="a", content=PDF + bytes([number]))
            uow.session.flush()
    with pytest.raises(Conflict):
        attach(ris, order_id, JPEG)


def test_a_document_is_taken_out_with_a_reason_and_its_content_kept(ris: Ris, hospital: Hospital, order_id: int) -> None:
    document_id = attach(ris, order_id, PDF)
    with ris.uow() as uow, pytest.raises(Invalid):
        documents.remove(uow, order_id, document_id, " ")
    with ris.uow() as uow:
        other = make_order(uow, hospital).id
        with pytest.raises(NotFound):
            documents.remove(uow, other, document_id, "of another order")
        documents.remove(uow, order_id, document_id, "another patient's")
    with ris.read() as session:
        assert documents.document(session, order_id, document_id) is None
        assert session.scalars(sa.select(DocumentContent.content)).all() == [PDF]
