"""Fuzzes one target until its time is over or it fails: `python -m tests.fuzz.one TARGET [options of libFuzzer]`."""

import sys

import atheris

with atheris.instrument_imports(include=["ris.hl7", "tests.fuzz"]):
    from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()
