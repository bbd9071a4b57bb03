"""The profiles of messages are whole: no field without its meaning, no meaning without its field, no path that the samples miss."""

import dataclasses

import pytest

from ris.hl7.inbound.reading import Reading
from ris.hl7.outbound import BUILDERS, TELLS
from tests.architecture import profile, profiles_in, profiles_out
from tests.architecture.meanings_in import MEANINGS


def test_every_field_at_which_a_reader_looks_has_its_meaning() -> None:
    places = [(reader, line.place) for reader in profiles_in.asked() for line in profiles_in.lines(reader)]
    assert [(reader, place) for reader, place in places if f"{reader} {place}" not in MEANINGS and place not in MEANINGS] == []


def test_every_part_of_a_message_that_is_read_beforehand_is_watched() -> None:
    assert {field.name for field in dataclasses.fields(Reading)} == {*profiles_in.PARTS, *profiles_in.OTHERS}


def test_nothing_is_said_of_fields_at_which_nobody_looks() -> None:
    assert profiles_in.unused() == set()


def test_nothing_is_said_of_fields_that_nobody_fills() -> None:
    assert profiles_out.unused() == set()


def test_the_samples_reach_every_field_that_stands_in_the_readers() -> None:
    reached = {number for places in profiles_in.asked().values() for _, number in places}
    assert profiles_in.written_numbers() - reached == set()


@pytest.mark.parametrize("message", BUILDERS)
def test_every_event_of_every_message_is_built(message: str) -> None:
    assert {each.case.name for each in profiles_out.built(message)} == set(TELLS[message])


def test_a_field_of_which_nobody_has_said_anything_stops_the_drawing() -> None:
    with pytest.raises(KeyError, match="PID-99"):
        profile.drawn([profile.Line("PID", 99)], MEANINGS, "adt-update", with_examples=False)
