"""Documents through the browser's form: how they are handed out, to whom, and what the trail says of it (ASVS 5.2, 5.4)."""

from collections.abc import Callable

import pytest
from werkzeug.test import TestResponse

from ris.bootstrap import Ris
from ris.order.model import Order
from tests.factories.hospital import Hospital
from tests.factories.orders import make_order
from tests.web.people import somebody
from tests.web.visitor import HOST, Visitor, trail

PDF = b"%PDF-1.7 <script>alert(1)</script>"


@pytest.fixture
def order(ris: Ris, hospital: Hospital) -> Order:
    with ris.uow(hospital.actor("scheduler")) as uow:
        return make_order(uow, hospital)


def send(someone: Visitor, order: Order, content: bytes, name: str = "consent.pdf", kind: str = "consent") -> TestResponse:
    """The form as a browser sends it; the test client's own encoder leaves temporary files open."""
    fields = {"csrf_token": someone.csrf, "document_kind": kind}
    parts = [f'--b\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode() for key, value in fields.items()]
    head = f'--b\r\nContent-Disposition: form-data; name="document"; filename="{name}"\r\nContent-Type: text/html\r\n\r\n'.encode()
    body = b"".join(parts) + head + content + b"\r\n--b--\r\n"
    return someone.client.post(
        f"/orders/{order.id}/documents", data=body, content_type="multipart/form-data; boundary=b", headers={"Origin": HOST}
    )


def test_a_document_is_handed_out_as_a_file_in_a_sandbox_and_each_look_is_in_the_trail(
    ris: Ris, hospital: Hospital, order: Order, visitor: Callable[[], Visitor]
) -> None:
    clerk = visitor()
    clerk.enter(hospital.users["front_desk"])
    assert send(clerk, order, PDF, "consent.html").status_code == 303
    page = clerk.get(f"/orders/{order.id}").text
    address = page.split('<a href="/orders/')[1].split('"')[0]
    answer = clerk.get(f"/orders/{address}")
    assert answer.data == PDF
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"] == "attachment; filename=consent.html.pdf"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert answer.headers["Cache-Control"] == "no-store"
    assert [(entry.actor_id, entry.patient_id) for entry in trail(ris, what="document")] == [
        (hospital.users["front_desk"], order.patient_id)
    ]
    stranger = visitor()
    stranger.enter(somebody(ris, hospital, "west", front_desk="WEST"))
    assert stranger.get(f"/orders/{address}").status_code == 404
    assert len(trail(ris, what="document")) == 1


def test_a_wrong_file_is_refused_beside_its_field(hospital: Hospital, order: Order, visitor: Callable[[], Visitor]) -> None:
    clerk = visitor()
    clerk.enter(hospital.users["front_desk"])
    for content, reason in {
        b"MZ a program": "Only PDF, PNG and JPEG files",
        b"": "The file is empty.",
        PDF + b"x" * 3_600_000: "at most 3.5 MB",
    }.items():
        answer = send(clerk, order, content)
        assert answer.status_code == 422
        assert reason in answer.text.split('id="e-document">')[1][:80]
    assert 'id="e-document_kind"' in send(clerk, order, PDF, kind="").text
    assert send(clerk, order, PDF + b"x" * 5_000_000).status_code == 413
    assert "None attached." in clerk.get(f"/orders/{order.id}").text


def test_a_document_is_taken_out_by_its_form(hospital: Hospital, order: Order, visitor: Callable[[], Visitor]) -> None:
    clerk = visitor()
    clerk.enter(hospital.users["front_desk"])
    send(clerk, order, PDF)
    address = clerk.get(f"/orders/{order.id}").text.split('<a href="/orders/')[1].split('"')[0]
    assert clerk.post(f"/orders/{address}/remove", reason="").status_code == 422
    assert clerk.post(f"/orders/{address}/remove", reason="another patient's").status_code == 303
    assert clerk.get(f"/orders/{address}").status_code == 404
