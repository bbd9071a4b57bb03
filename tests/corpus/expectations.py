"""What the senders of the corpus wrote, read by eye from their fields; the partner's zone is New York, its authority CORPUS1."""

from dataclasses import dataclass
from datetime import UTC, date, datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """One order: placer number, its namespace, the code of OBR-4, and what else was said of it."""

    placer: str
    namespace: str
    code: str
    priority: str = "R"
    requested_at: datetime | None = None
    orderer: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class Expected:
    mrn: tuple[str, str]
    """Number and authority of the record number that stands first in PID-3, else PID-2."""
    name: tuple[str, str]
    birth_date: date | None
    sex: str
    orders: tuple[Asked, ...]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


DOE_1980 = ("DOE", "JOHN"), date(1980, 5, 15), "M"
EVERYMAN = ("PATID1234", "test1"), ("Josh", ""), date(1988, 8, 18), "M"
"""The first name of PID-5 is for display (type D), the second is the legal one (type L)."""
HIS = ("ORD001", "HIS", "71020")
MICROSOFT = "microsoft__FHIR-Converter"
KCENON = "kcenon__pacs_bridge"
RUST = "hl7-rust__hl7-rust"
NYX = "NyxToolsDev__dicom-hl7-mcp-server"

APPLIED: dict[str, Expected] = {
    "cosyte__hl7/0147_ORM_O01_orm-o01.hl7": Expected(
        ("MRN-PH-001", "CORPUS1"), ("Doe", "John"), date(1980, 1, 1), "M", (Asked("AC-PH-001", "", "CTHEAD"),)
    ),
    # The orderer stands in ORC-13, which is a location: nobody is named as orderer. OBR-5 `H` is in no table.
    "cosyte__hl7/0149_ORM_O01_orm-o01.hl7": Expected(
        ("MRN-VS-001", "CORPUS1"), ("Doe", "John"), date(1980, 1, 1), "M", (Asked("AC-VS-001", "", "ctHeadP"),)
    ),
    # ORC-1 `SN`: an order that asks for our number. OBR-27.6 is `POCPR`, by its first letter before an operation.
    "LinuxForHealth__hl7v2-fhir-converter/0070_ORM_O01_Hl7ORMMessageTest.hl7": Expected(
        ("0a1f7838-4230-4752-b8f6-948b07c38b25", "MRN"), ("Patient", "Load"), date(1969, 7, 20), "M",
        (Asked("ACCESSION_a42990b7-4155-4404-81ef-e85158caed72", "", "4916", "P", orderer=("1234", "SOURCE, SPECIMEN")),),
    ),
    # Not of radiology: the one order of the repository that names a patient and a procedure.
    f"{RUST}/0005_ORM_O01_orm-o01.hl7": Expected(
        ("241900", "CORPUS1"), ("MEDIANO", "FOUAZ"), None, "U", (Asked("ORD1", "", "24331-1"),)
    ),
    # Two identifiers: the record number is the first, the second a social security number. It orders nothing.
    f"{RUST}/0034_ADT_A01_ADT_A01_adt-a01.hl7": Expected(("444333222", "ACME"), ("EVERYWOMAN", "EVE"), date(1962, 3, 20), "F", ()),
    f"{KCENON}/0005_ORM_O01_ORM_O01_hl7-messages.hl7": Expected(
        ("12345", "HOSPITAL"), ("DOE", "JOHN"), date(1980, 1, 15), "M",
        (Asked("ORD001", "", "CT001", orderer=("1234", "SMITH, JAMES")),),
    ),
    # Its quantity and timing stand in ORC-8 and OBR-25, its orderer in ORC-11 and OBR-15: none where the standard has them.
    f"{KCENON}/0015_ORM_O01_ORM_O01_02-hl7-message-types.hl7": Expected(
        ("12345", "HOSP"), ("DOE", "JOHN"), date(1980, 1, 15), "M", (Asked("ORD001", "RIS", "CT001"),)
    ),
    f"{KCENON}/0031_ORM_O01_benchmark-runner.hl7": Expected(
        ("67890", "MRN"), ("DOE", "JOHN"), date(1980, 1, 1), "M",
        (Asked("ORDER123", "", "12345", requested_at=utc(2024, 1, 15, 17)),),
    ),
    f"{KCENON}/0036_ORM_O01_adt-handler-test.hl7": Expected(("12345", "HOSPITAL"), *DOE_1980, (Asked(*HIS),)),
    f"{KCENON}/0116_ORM_O01_hl7-malformed-segment-recovery-test.hl7": Expected(
        ("12345", "HOSPITAL"), *DOE_1980, (Asked("ORD001", "", "71020"),)
    ),
    # No ORC at all: the number is in OBR-2.
    f"{KCENON}/0123_ORM_O01_hl7-test.hl7": Expected(("12345", "HOSPITAL"), ("DOE", "JOHN"), None, "U", (Asked(*HIS),)),
    f"{KCENON}/0124_ORM_O01_hl7-test.hl7": Expected(("12345", "HOSPITAL"), ("DOE", "JOHN"), None, "U", (Asked(*HIS),)),
    # TQ1-7 holds a priority, TQ1-9 nothing.
    f"{KCENON}/0157_ORM_O01_ORM_O01_backwards-compatibility-test.hl7": Expected(("12345", "HOSPITAL"), *DOE_1980, (Asked(*HIS),)),
    # The name is in PID-6 (mother's maiden name), so the patient has none; the authority is nobody's.
    f"{KCENON}/0178_ORM_O01_e2e-scenario-test.hl7": Expected(("PAT100", "CORPUS1"), ("", ""), None, "U", (Asked("ORD100", "", "CT-HEAD"),)),
    f"{KCENON}/0192_ORM_O01_mapper-extended-test.hl7": Expected(
        ("J12345", "HOSPITAL"), ("YAMADA", "TARO"), date(1985, 3, 15), "M", (Asked("ORD004", "HIS", "CT001"),)
    ),
    f"{KCENON}/0193_ORM_O01_mapper-extended-test.hl7": Expected(
        ("SC001", "HOSPITAL"), ("O'BRIEN", "MARY-JANE"), date(1975, 6, 20), "F", (Asked("ORD005", "HIS", "99999"),)
    ),
    f"{KCENON}/0194_ORM_O01_mapper-extended-test.hl7": Expected(
        ("MID001", "HOSPITAL"), ("MULTI", "ID"), date(1988, 8, 8), "M", (Asked("ORD007", "HIS", "71020"),)
    ),
    # OBR-16 without a number: what stands first is XCN.1.
    f"{KCENON}/0220_ORM_O01_orm-handler-test.hl7": Expected(
        ("12345", "HOSPITAL"), *DOE_1980, (Asked(*HIS, orderer=("SMITH", "ROBERT, MD")),)
    ),
    "mark64oswald__healthsim-workspace/0017_ORM_O01_hl7v2-orm.hl7": Expected(
        ("MRN00000003", "SPRINGFIELD_HOSP"), ("THOMPSON", "ELEANOR"), date(1950, 8, 12), "F",
        (Asked("ORD001236", "EHR", "71046", orderer=("5678901234", "Patel, Arun")),),
    ),
    f"{MICROSOFT}/0092_ORM_O01_ORM_O01_OML-O21-02.hl7": Expected(
        *EVERYMAN,
        (
            Asked("1101", "GHHPlacer", "57698-3", orderer=("005454", "LAB, ROBIN")),
            Asked("2203", "GHHPlacer", "24590-2", requested_at=utc(2021, 10, 20, 9, 11), orderer=("005454", "RAD, ROBIN")),
        ),
    ),
    # ORC-7.4 is a day: its midnight in New York.
    f"{MICROSOFT}/0094_ORM_O01_ORM_O01_ORM-O01-01.hl7": Expected(
        *EVERYMAN, (Asked("1101", "GHHPlacer", "24725-4", requested_at=utc(2002, 3, 15, 5), orderer=("005454", "RAD, ROBIN")),)
    ),
    f"{MICROSOFT}/0095_ORM_O01_ORM_O01_ORM-O01-02.hl7": Expected(
        *EVERYMAN, (Asked("1101", "GHHPlacer", "24725-4", requested_at=utc(2021, 10, 20, 9, 11), orderer=("005454", "RAD, ROBIN")),)
    ),
    f"{MICROSOFT}/0096_ORM_O01_ORM_O01_ORM-O01-03.hl7": Expected(
        *EVERYMAN,
        (
            Asked("1101", "GHHPlacer", "24725-4", requested_at=utc(2021, 10, 20, 9, 11), orderer=("005454", "RAD, ROBIN")),
            Asked("2203", "GHHPlacer", "24590-2", requested_at=utc(2021, 10, 20, 9, 11), orderer=("005454", "RAD, ROBIN")),
        ),
    ),
    f"{NYX}/0008_ORM_O01_ORM_O01_fhir-converter.hl7": Expected(
        ("MRN456789", "MAIN_HOSP"), ("JOHNSON", "ROBERT"), date(1975, 5, 12), "M", (Asked("ORD20240301001", "CPOE", "X1"),)
    ),
    f"{NYX}/0015_ORM_O01_ORM_O01_conftest.hl7": Expected(
        ("MRN12345", "HOSP"), ("DOE", "JOHN"), date(1965, 3, 15), "M", (Asked("ORD001", "CPOE", "CTABD"),)
    ),
    f"{NYX}/0018_ORM_O01_test-fhir-converter.hl7": Expected(
        ("67890", "HOSP"), ("SMITH", "JANE"), date(1975, 5, 20), "F", (Asked("ORD001", "", "71020"),)
    ),
}  # fmt: skip

REFUSED: dict[str, tuple[str, str]] = {
    # PID without identifier, ORC without number, no OBR.
    f"{RUST}/0011_ORM_O01_integration.hl7": ("101", "PID^1^3"),
}
"""The radiology order of the repository that has no other; what is read of its patients and orders stands above."""

EXPLAINED: dict[tuple[str, str], str] = {
    ("100", "ORC^1"): "a fragment: it holds no ORC and no OBR, so it asks for nothing",
    ("100", "OBR^1"): "ORC asks for a new order, and no OBR says of what",
    ("101", "MSH^1^10"): "no control id: it can never be told from a repetition (AR)",
    ("101", "PID^1^3"): "nobody is named: neither PID-3 nor PID-2 nor PID-4",
    ("204", "ORC^1^2"): "cancels an order that this partner has not placed, or tells the status of one (SC, from a PACS)",
}
"""Every class of refusal of a radiology order: table 0357 code and place, and why it is right."""
