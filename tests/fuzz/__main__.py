"""Fuzzes each target for a bounded time, led by the branches it reaches: `python -m tests.fuzz [seconds for each]`."""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.targets import TARGETS
from tests.messages.samples import adt, merge, order, orm, pid, pv1

SECONDS = 30
OUTPUT = Path(__file__).parents[2] / "test-output/fuzz"
"""Inputs that brought a target to a fault: `python -m tests.fuzz TARGET FILE` shows it again."""


def main(arguments: list[str]) -> int:
    """Status 1 when a target was brought to a fault."""
    if len(arguments) == 2 and arguments[0] in TARGETS:
        TARGETS[arguments[0]](Path(arguments[1]).read_bytes())
        return 0
    seconds = int(arguments[0]) if arguments else SECONDS
    OUTPUT.mkdir(parents=True, exist_ok=True)
    failed = [name for name in TARGETS if not _fuzzed(name, seconds)]
    print("no fault was found" if not failed else f"faults in {', '.join(failed)}: see {OUTPUT}")
    return bool(failed)


def _fuzzed(name: str, seconds: int) -> bool:
    """In a process of its own, since the fuzzer ends the one that it runs in."""
    print(f"{name}: {seconds} s", flush=True)
    with tempfile.TemporaryDirectory() as seeds:
        for number, seed in enumerate(_seeds()):
            (Path(seeds) / str(number)).write_bytes(seed)
        options = [
            f"-max_total_time={seconds}",
            "-max_len=4096",
            "-timeout=10",
            f"-artifact_prefix={OUTPUT}/{name}-",
            "-print_final_stats=1",
        ]
        done = subprocess.run([sys.executable, "-m", "tests.fuzz.one", name, *options, seeds], capture_output=True, text=True, check=False)
    print("\n".join(line for line in done.stderr.splitlines() if "number_of_executed" in line or "Exception" in line or "Error" in line))
    if done.returncode:
        (OUTPUT / f"{name}.log").write_text(done.stderr)
    return done.returncode == 0


def _seeds() -> list[bytes]:
    messages = [adt("A04", pid(), pv1("V1")), order(), merge("M1", "M2"), orm(pid("M1~M2^^^X&1.2&ISO^PI"))]
    streams = [b"\x00" * 8 + b"".join(b"\x0b" + message[:40] + b"\x1c\r" for message in messages)]
    odd = [messages[0].replace(b"|^~\\&|", b"#!@%$#"), messages[1].replace(b"\r", b"\n"), b"MSH|^~\\&|\\E\\|\\.br\\|\\X41\\|\\F\\\r"]
    return [*messages, *streams, *odd]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
