"""What differs between two texts of a message."""

import pytest

from ris.hl7.explain.diff import MOST_LINES, DiffLine, diff


def shown(lines: list[DiffLine]) -> list[str]:
    """Each line with its sign, and what differs in braces."""
    return [line.sign + "".join(f"{{{text}}}" if differs else text for text, differs in line.parts) for line in lines]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("MSH|1\nPID|2", "MSH|1\nPID|2", []),
        ("MSH|1\nPID|1||M1|x", "MSH|1\nPID|1||M2|x", [" MSH|1", "-PID|1||{M1}|x", "+PID|1||{M2}|x"]),
        ("MSH|1", "MSH|1\nPV1|2", [" MSH|1", "+{PV1|2}"]),
        ("MSH|1\nPV1|2", "MSH|1", [" MSH|1", "-{PV1|2}"]),
        ("PID|1", "PID|1|2", ["-PID|1", "+PID|1|{2}"]),
        ("MSH#1#a", "MSH#1#b", ["-MSH#1#{a}", "+MSH#1#{b}"]),
        ("A|1\nB|1\nC|1\nD|1\nE|1", "A|1\nB|1\nC|1\nD|1\nE|2", ["…", " C|1", " D|1", "-E|{1}", "+E|{2}"]),
    ],
)
def test_what_differs_is_marked_field_by_field(before: str, after: str, expected: list[str]) -> None:
    assert shown(diff(before, after)) == expected


def test_long_messages_are_compared_line_by_line() -> None:
    before = "\n".join(f"OBX|{n}" for n in range(MOST_LINES + 10))
    after = before.replace("OBX|7\n", "OBX|seven\n") + "\nNTE|1"
    assert [line for line in shown(diff(before, after)) if line[0] in "+-"] == ["-OBX|{7}", "+OBX|{seven}", "+{NTE|1}"]
