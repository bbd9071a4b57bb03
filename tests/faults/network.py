"""A second machine, made of a network namespace, and the line to it, which can be cut either way."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

_CLONE_NEWNET = 0x40000000
_OWN_NAMESPACE = Path("/proc/thread-self/ns/net")


class FarMachine:
    """`near` is the address of this machine on the line, `far` that of the other one. Needs root, ip and nft."""

    def __init__(self) -> None:
        number = os.getpid() % 32_768
        # Of 198.18.0.0/15, which is for tests of networks (RFC 2544), four addresses for each process that tests.
        prefix = f"198.{18 + number // 16_384}.{number // 64 % 256}"
        self.near, self.far = f"{prefix}.{number % 64 * 4 + 1}", f"{prefix}.{number % 64 * 4 + 2}"
        self._name = f"far{number}"

    def __enter__(self) -> Self:
        _run(f"ip netns add {self._name}")
        _run(f"ip link add {self._name} type veth peer name line netns {self._name}")
        _run(f"ip address add {self.near}/30 dev {self._name}")
        _run(f"ip link set {self._name} up")
        self._there(f"ip address add {self.far}/30 dev line")
        self._there("ip link set line up")
        return self

    def __exit__(self, *_: object) -> None:
        # The namespace lives on for as long as a socket in it does, and would keep its end of the line.
        _run(f"ip link delete {self._name}")
        _run(f"ip netns delete {self._name}")

    @contextmanager
    def inside(self) -> Iterator[None]:
        """What this thread connects or listens on in here belongs to the other machine for good."""
        with _OWN_NAMESPACE.open() as own, Path(f"/run/netns/{self._name}").open() as other:
            _enter(other.fileno())
            try:
                yield
            finally:
                _enter(own.fileno())

    def cut(self, *ways: str) -> None:
        """From now on nothing comes through in these directions: `to` the other machine, `from` it."""
        hooks = {"to": "input", "from": "output"}
        chains = [f"chain {way}way {{ type filter hook {hooks[way]} priority 0; policy drop; }};" for way in ways]
        self._there("nft -f -", f"table ip line {{ {' '.join(chains)} }}")

    def heal(self) -> None:
        self._there("nft delete table ip line")

    def _there(self, command: str, text: str = "") -> None:
        _run(f"ip netns exec {self._name} {command}", text)


def _enter(namespace: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "the namespace cannot be entered")


def _run(command: str, text: str = "") -> None:
    done = subprocess.run(command.split(), input=text, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stderr.strip()} (`make faults` needs root, iproute2 and nftables)"
