"""Which words of a report do not fit whom and what it is about, and which do."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ris.report.writing.checks import CHECKS, Subject, doubts
from ris.report.writing.merge import unknown_names
from ris.report.writing.sections import sections

WOMAN = Subject("Meadow", "F", date(1970, 5, 17), date(2026, 11, 30), frozenset({"MRN1", "A26001"}), "", "CT", True, False)
MAN = replace(WOMAN, sex="M")
KNEE = replace(WOMAN, side="left", modality="MR", has_contrast=False)
CHILD = replace(WOMAN, birth_date=date(2026, 8, 20))
UNKNOWN = Subject("", "U", None, date(2026, 11, 30), frozenset(), "", "", None, False)

DOUBTED = [
    ("open field", WOMAN, "The kidney is [size].", "[size]"),
    ("open field", WOMAN, "It is [left|right].", "[left|right]"),
    ("impression", WOMAN, "FINDINGS:\nNormal.\n\nIMPRESSION:\n\n", "IMPRESSION:"),
    ("impression", WOMAN, "FINDINGS\nNormal.\n\nIMPRESSION\n ... \nCOMMENT\nNone.", "IMPRESSION"),
    ("impression", WOMAN, "FINDINGS:\nNormal.", ""),
    ("side", KNEE, "FINDINGS\nA tear in the right knee.\nIMPRESSION\nTear.", "right knee"),
    ("side", KNEE, "Right-sided effusion.", "Right-sided effusion"),
    ("side", WOMAN, "FINDINGS\nA stone in the left kidney.\nIMPRESSION\nStone, right kidney.", "right kidney"),
    ("sex", WOMAN, "The prostate is enlarged.", "prostate"),
    ("sex", WOMAN, "Mr Meadow was told.", "Mr"),
    ("sex", WOMAN, "This man fell.", "man"),
    ("sex", MAN, "Uterus and ovaries are normal.", "Uterus"),
    ("sex", MAN, "She fell.", "She"),
    ("age", WOMAN, "A 72-year-old patient.", "72-year-old"),
    ("age", WOMAN, "A 72 y/o patient.", "72 y/o"),
    ("age", WOMAN, "Normal for a neonate.", "neonate"),
    ("age", CHILD, "Changes of an elderly patient.", "elderly"),
    ("age", CHILD, "A 9-month-old girl.", "9-month-old"),
    ("another patient", WOMAN, "Seen together with Mrs. Rivers.", "Mrs. Rivers"),
    ("another patient", WOMAN, "MRN: 4711-99", "MRN: 4711-99"),
    ("another patient", WOMAN, "Accession number A26002.", "Accession number A26002"),
    ("another patient", WOMAN, "born 1971-05-17", "born 1971-05-17"),
    ("contrast medium", WOMAN, "CT of the chest without contrast.", "without contrast"),
    ("contrast medium", WOMAN, "TECHNIQUE\nUnenhanced images.\nIMPRESSION\nNormal.", "Unenhanced"),
    ("contrast medium", KNEE, "After the injection of 12 ml of contrast.", "After the injection of 12 ml of contrast"),
    ("category", replace(WOMAN, categories=(("BI-RADS", "4A"),)), "IMPRESSION\nBI-RADS category 2", "BI-RADS category 2"),
    ("modality", WOMAN, "TECHNIQUE\nMRI of the chest.\nIMPRESSION\nNormal.", "MRI"),
    ("modality", KNEE, "TECHNIQUE\nA CT of the knee.\nIMPRESSION\nNormal.", "CT"),
]  # fmt: skip
FITTING = [
    (WOMAN, "No fracture."),
    (WOMAN, "FINDINGS\nUterus normal in this 56-year-old woman. She takes MR. TE 90 ms.\n\nIMPRESSION\nNormal. Child-Pugh A."),
    (WOMAN, "FINDINGS\nLeft kidney normal. Right kidney: a stone.\nIMPRESSION\nStone in the right kidney."),
    (WOMAN, "MRN: mrn1, accession A26001, born 1970-05-17. Mrs. Meadow."),
    (WOMAN, "COMPARISON\nCT without contrast of 2024-01-02; MRI of 2023.\nTECHNIQUE\nCT with contrast.\nIMPRESSION\nUnchanged."),
    (replace(WOMAN, has_both_phases=True), "Images without contrast and after contrast."),
    (WOMAN, "FINDINGS:\nLIVER:\nNormal.\nIMPRESSION:\nLIVER: normal.\nKIDNEYS:\nNormal."),
    (KNEE, "HISTORY: pain in the right knee, right-handed, seen on ultrasound.\nIMPRESSION\nLeft knee: no tear. A right-handed patient."),
    (CHILD, "A 3-month-old infant, 102 days old."),
    (replace(WOMAN, categories=(("LI-RADS", "LR-4"), ("BI-RADS", "4A"))), "LI-RADS 4, LI-RADS: LR-4, BI-RADS: 4A Suspicious."),
    (UNKNOWN, "A 70-year-old man with a uterus, left and right, with and without contrast. MRI and CT."),
]


@pytest.mark.parametrize(("check", "subject", "text", "excerpt"), DOUBTED)
def test_words_that_do_not_fit_are_named_with_their_place(check: str, subject: Subject, text: str, excerpt: str) -> None:
    found = [doubt for doubt in doubts(text, subject) if doubt.check == check]
    assert excerpt in [doubt.excerpt for doubt in found]
    assert [text[doubt.start : doubt.end].strip() for doubt in found] == [doubt.excerpt for doubt in found]


@pytest.mark.parametrize(("subject", "text"), FITTING)
def test_words_that_fit_are_let_through(subject: Subject, text: str) -> None:
    assert doubts(text, subject) == ()


def test_every_check_has_a_row_and_equal_words_are_doubted_once() -> None:
    assert {check for check, *_ in DOUBTED} == set(CHECKS)
    assert [doubt.key for doubt in doubts("The prostate. Again the Prostate.", WOMAN)] == ["sex: prostate"]
    assert not doubts("[size]", WOMAN)[0].may_override


@given(
    st.text(alphabet=st.sampled_from("abc [|]{}\n:LEFT RIGHTIMPRESSION 56-year-old MRN:12 ")),
    st.sampled_from([WOMAN, MAN, KNEE, CHILD, UNKNOWN]),
)
def test_any_text_is_read_and_each_place_lies_in_it(text: str, subject: Subject) -> None:
    for doubt in doubts(text, subject):
        assert 0 <= doubt.start <= doubt.end <= len(text)
        assert doubt.excerpt == text[doubt.start : doubt.end].strip()
    parts = sections(text)
    assert [part.end for part in parts[:-1]] == [part.heading for part in parts[1:]]
    assert (parts[0].heading, parts[-1].end) == (0, len(text))


def test_names_that_mean_nothing_are_told() -> None:
    assert unknown_names("{age} {wieght} {age} {x}") == ["wieght", "x"]
