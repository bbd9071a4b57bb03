import pytest

from ris.patient.name import called


@pytest.mark.parametrize(
    ("family", "given", "name"), [("Meadow", "Anna", "Meadow, Anna"), ("Meadow", "", "Meadow"), ("", "Anna", "Anna"), ("", "", "no name")]
)
def test_a_patient_is_called_by_the_names_that_are_known(family: str, given: str, name: str) -> None:
    assert called(family, given) == name
