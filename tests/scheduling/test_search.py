"""The search over frozen facts: what it offers nothing stands against, and what stands against a place is said."""

from datetime import date, time

import hypothesis.strategies as st
from hypothesis import given, settings

from ris.catalog.model import Modality, ReservedFor, ResourceKind
from ris.scheduling import fits, search
from ris.scheduling.facts import Asked, Elsewhere, Exam, Facts, Patient, Placed, Policy, Reserved, Resource, Room, Step, Wishes
from ris.scheduling.spans import GRID, Minutes, common, merged, overlaps, wall, without

DAY = date(2026, 11, 30)
ZONE = "America/New_York"
MIDNIGHT = wall(DAY, time(), ZONE)
ASKED = Asked(DAY, DAY)


def at(hour: int, minutes: int = 0) -> int:
    return MIDNIGHT + hour * 60 + minutes


def room(key: int = 1, *, taken: tuple[Minutes, ...] = (), **values: object) -> Room:
    standard = {
        "id": key, "site_id": 1, "name": f"Room {key}", "modality": Modality.CT, "weight_limit_kg": None, "gives_contrast": True,
        "has_anaesthesia": False, "hours": ((at(7), at(19)),), "closed": (), "reserved": (), "taken": taken, "shortest": 15,
    }  # fmt: skip
    return Room(**{**standard, **values})


def exam(*steps: Step, contrast: bool = False) -> Exam:
    return Exam(1, "CT head", Modality.CT, contrast, steps or (Step(0, 1, "", None, (), {1: 20, 2: 20}),))


def facts(*rooms: Room, exams: tuple[Exam, ...] = (), patient: Patient | None = None, **values: object) -> Facts:
    window = (MIDNIGHT, at(24))
    standard = {
        "now": at(8), "zone": ZONE, "site_id": 1, "window": window, "exams": exams or (exam(),),
        "rooms": {r.id: r for r in rooms or (room(),)}, "resources": (), "patient": patient or Patient(), "policy": Policy(),
        "days": (window,), "starts": (window,),
    }  # fmt: skip
    return Facts(**{**standard, **values})


def clocks(known: Facts, asked: Asked = ASKED, limit: int = 3) -> list[str]:
    return [f"{(o.starts_at - MIDNIGHT) // 60:02}:{(o.starts_at - MIDNIGHT) % 60:02}" for o in search.offers(known, asked, limit)]


def said(known: Facts, start: int, length: int = 20, room_id: int = 1, wishes: Wishes = Wishes()) -> list[str]:  # noqa: B008
    return [r.text for r in fits.refusals(known, wishes, Placed(0, 1, room_id, (start, start + length)))]


def test_one_appointment_is_offered_behind_the_other() -> None:
    assert clocks(facts()) == ["08:00", "08:20", "08:40"]


def test_a_start_that_leaves_a_useless_gap_comes_last_or_is_hidden_by_the_site() -> None:
    """From 09:00 to 09:30 only ten minutes would be left, too few for anything."""
    busy = room(taken=((at(8), at(9)), (at(9, 30), at(18))))
    assert clocks(facts(busy), limit=9) == ["18:00", "18:20", "18:40", "09:00", "09:10"]
    assert clocks(facts(busy, policy=Policy(hides_useless_gaps=True)), limit=9) == ["18:00", "18:20", "18:40"]


def test_a_room_that_cannot_carry_the_patient_or_gives_no_contrast_is_left_out_and_why_is_said() -> None:
    heavy = facts(room(weight_limit_kg=150), room(2), patient=Patient(weight_kg=180.0))
    assert {o.placed[0].room_id for o in search.offers(heavy, ASKED)} == {2}
    assert search.rooms_that_cannot(heavy, ASKED) == ["Room 1 carries 150 kg: the patient is too heavy for it"]
    assert said(heavy, at(9)) == ["Room 1 carries 150 kg: the patient is too heavy for it"]
    dry = facts(room(gives_contrast=False), exams=(exam(contrast=True),))
    assert search.offers(dry, ASKED) == []
    assert said(dry, at(9)) == ["Room 1 gives no contrast medium"]


def test_anaesthesia_needs_a_room_for_it_and_somebody_who_gives_it() -> None:
    who = Resource(7, ResourceKind.person, "Dr Mohn", "F", frozenset({"anaesthesia"}), ((at(10), at(12)),), ())
    known = facts(room(has_anaesthesia=True), room(2), resources=(who,))
    asked = Asked(DAY, DAY, wishes=Wishes(with_anaesthesia=True))
    found = search.offers(known, asked)
    assert {o.placed[0].room_id for o in found} == {1}
    assert clocks(known, asked) == ["10:00", "10:20", "10:40"]
    assert found[0].placed[0].resources == (who,)
    assert said(known, at(9), wishes=asked.wishes) == ["nobody and nothing is free then for anaesthesia"]


def test_who_asks_for_a_woman_gets_one_who_is_there() -> None:
    anna = Resource(1, ResourceKind.person, "Anna", "F", frozenset({"CT"}), ((at(9), at(17)),), ((at(9), at(11)),))
    boris = Resource(2, ResourceKind.person, "Boris", "M", frozenset({"CT"}), ((at(7), at(19)),), ())
    known = facts(resources=(anna, boris))
    assert clocks(known, Asked(DAY, DAY, wishes=Wishes(staff_sex="F"))) == ["11:00", "11:20", "11:40"]
    assert clocks(known) == ["08:00", "08:20", "08:40"]


def test_a_block_is_kept_until_it_is_released() -> None:
    block = Reserved((at(8), at(10)), ReservedFor.emergency, at(7, 30))
    early = facts(room(reserved=(block,)), now=at(7))
    assert clocks(early)[:1] == ["07:00"]
    assert said(early, at(9)) == ["Room 1 is kept for emergency patients from 08:00 to 10:00, released Mon 30 Nov 07:30"]
    assert said(facts(room(reserved=(block,)), now=at(7), patient=Patient(is_stat=True)), at(9)) == []
    assert said(facts(room(reserved=(block,)), now=at(7, 30)), at(9)) == []
    inpatients = Reserved((at(8), at(10)), ReservedFor.inpatient, None)
    assert said(facts(room(reserved=(inpatients,)), patient=Patient(patient_class="I")), at(9)) == []
    assert "kept for inpatient" in said(facts(room(reserved=(inpatients,)), patient=Patient(is_stat=True)), at(9))[0]


def test_times_of_day_bound_the_start() -> None:
    window = ((at(14), at(15) + 1),)
    assert clocks(facts(starts=window), limit=9) == ["14:00", "14:20", "14:40", "15:00"]


def test_the_way_from_another_room_is_kept_free() -> None:
    other = Patient(elsewhere=(Elsewhere((at(9), at(10)), 2, 1),))
    known = facts(room(), room(2), patient=other, policy=Policy(room_change_minutes=15), now=at(10))
    assert clocks(known, Asked(DAY, DAY, room_id=1)) == ["10:15", "10:35", "10:55"]
    assert clocks(known, Asked(DAY, DAY, room_id=2)) == ["10:00", "10:20", "10:40"]
    assert said(known, at(10, 5)) == ["the patient needs 15 minutes from one room to the other"]


BONE_SCAN = (Step(0, 1, "injection", None, (), {1: 15}), Step(0, 2, "images", (120, 240), (), {2: 45}))


def test_images_follow_the_injection_within_their_gap() -> None:
    known = facts(room(), room(2, hours=((at(12), at(13)),)), exams=(exam(*BONE_SCAN),))
    first = search.offers(known, ASKED, 1)[0]
    injection, images = first.placed
    assert 120 <= images.span[0] - injection.span[1] <= 240
    assert images.span == (at(12), at(12, 45))
    late = Placed(0, 2, 2, (at(18), at(18, 45)))
    assert [r.text for r in fits.gap(known, late, [injection])] == ["images begins 120 to 240 minutes after what comes before it has ended"]


def test_exams_of_one_way_follow_each_other_in_the_order_that_is_over_first() -> None:
    head = Exam(1, "CT head", Modality.CT, False, (Step(0, 1, "", None, (), {1: 20}),))
    brain = Exam(2, "MR brain", Modality.MR, False, (Step(1, 1, "", None, (), {2: 45}),))
    known = facts(room(), room(2, taken=((at(9), at(19)),)), exams=(head, brain), policy=Policy(room_change_minutes=10))
    found = search.offers(known, ASKED, 1)[0]
    assert [(p.exam, p.span) for p in found.placed] == [(1, (at(8), at(8, 45))), (0, (at(8, 55), at(9, 15)))]


def test_the_third_next_is_the_third_by_time() -> None:
    found = search.offers(facts(room(taken=((at(8), at(12)),))), ASKED)
    third = search.third_next(found)
    assert third is not None
    assert third.starts_at == at(12, 40)


spans = st.lists(st.tuples(st.integers(0, 300), st.integers(1, 60)).map(lambda s: (s[0], s[0] + s[1])), max_size=8)


@given(spans, spans)
@settings(max_examples=80, deadline=None)
def test_spans_without_others_are_the_minutes_that_are_left(some: list[Minutes], holes: list[Minutes]) -> None:
    def minutes(of: list[Minutes]) -> set[int]:
        return {m for start, end in of for m in range(start, end)}

    whole = merged(some)
    assert minutes(whole) == minutes(some)
    assert minutes(without(whole, sorted(holes))) == minutes(some) - minutes(holes)
    assert minutes(common(whole, merged(holes))) == minutes(some) & minutes(holes)


def _spans_of_a_day(most: int) -> st.SearchStrategy[tuple[Minutes, ...]]:
    one = st.tuples(st.integers(at(6) // 5, at(20) // 5), st.integers(1, 24)).map(lambda s: (s[0] * 5, (s[0] + s[1]) * 5))
    return st.lists(one, max_size=most).map(lambda found: tuple(sorted(found)))


@st.composite
def any_facts(draw: st.DrawFn) -> Facts:
    rooms = [
        room(
            key, taken=draw(_spans_of_a_day(6)), hours=tuple(merged(draw(_spans_of_a_day(3)))),
            reserved=tuple(Reserved(s, draw(st.sampled_from(ReservedFor)), draw(st.sampled_from([None, at(7), at(10)])))
                           for s in draw(_spans_of_a_day(2))),
        )
        for key in (1, 2)
    ]  # fmt: skip
    nurse = Resource(
        7, ResourceKind.person, "A", draw(st.sampled_from("FM")), frozenset({"needle", "CT"}), draw(_whole()), draw(_spans_of_a_day(4))
    )
    bike = Resource(8, ResourceKind.equipment, "B", "", frozenset({"needle"}), ((at(0), at(24)),), draw(_spans_of_a_day(4)))
    needs = draw(st.sampled_from([(), ("needle",)]))
    single = exam(Step(0, 1, "", None, needs, {1: draw(st.sampled_from([10, 20, 35])), 2: 25}))
    double = exam(Step(0, 1, "first", None, needs, {1: 15}), Step(0, 2, "second", (30, 120), (), {2: 45, 1: 40}))
    other = Exam(2, "MR", Modality.MR, False, (Step(1, 1, "", None, (), {2: 30}),))
    exams = draw(st.sampled_from([(single,), (double,), (single, other), (double, other)]))
    elsewhere = tuple(Elsewhere(s, draw(st.sampled_from([1, 2, 9])), 1) for s in draw(_spans_of_a_day(2)))
    patient = Patient(None, draw(st.sampled_from(["", "I", "E"])), draw(st.booleans()), elsewhere)
    policy = Policy(room_change_minutes=draw(st.sampled_from([0, 10])), combine_within_minutes=90)
    return facts(*rooms, exams=exams, patient=patient, policy=policy, resources=(nurse, bike))


def _whole() -> st.SearchStrategy[tuple[Minutes, ...]]:
    return st.just(((at(7), at(18)),))


@given(any_facts(), st.sampled_from(["", "F"]))
@settings(max_examples=40, deadline=None)
def test_nothing_stands_against_what_is_offered(known: Facts, sex: str) -> None:
    asked = Asked(DAY, DAY, wishes=Wishes(staff_sex=sex))
    for offer in search.offers(known, asked, 40):
        assert offer.starts_at % GRID == 0
        assert offer.starts_at >= known.now
        for placed in offer.placed:
            assert list(fits.refusals(known, asked.wishes, placed, offer.placed)) == []
        pairs = [(a, b) for a in offer.placed for b in offer.placed if a is not b]
        assert not any(overlaps(a.span, b.span) for a, b in pairs)


@given(any_facts().filter(lambda f: len(f.exams) == 1 and len(f.exams[0].steps) == 1))
@settings(max_examples=40, deadline=None)
def test_when_nothing_is_offered_every_place_of_the_day_has_a_reason_against_it(known: Facts) -> None:
    if search.offers(known, ASKED):
        return
    step = known.exams[0].steps[0]
    for key in known.rooms:
        for start in range(known.now, at(24), GRID):
            span = (start, start + step.minutes[key])
            help_ = fits.helpers(known, ASKED.wishes, known.exams[0], step, span) or ()
            assert list(fits.refusals(known, ASKED.wishes, Placed(0, 1, key, span, help_))), (key, start)
