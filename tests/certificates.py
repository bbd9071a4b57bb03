"""Certificates for the tests, made by openssl."""

import subprocess
from pathlib import Path


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate that signs itself, and its key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


def issue(folder: Path, name: str, authority: tuple[Path, Path], days: int = 2) -> tuple[Path, Path]:
    """A certificate for the DNS name that the authority (its certificate and key) has signed, and its key; expired with days below 0."""
    certificate, key = make_certificate(folder, name)
    request = subprocess.run(
        ["openssl", "req", "-new", "-key", key, "-subj", f"/CN={name}"], check=True, capture_output=True
    ).stdout  # fmt: skip
    signing = ["openssl", "x509", "-req", "-CA", authority[0], "-CAkey", authority[1], "-set_serial", "1"]
    subprocess.run([*signing, "-days", str(days), "-out", certificate], input=request, check=True, capture_output=True)
    return certificate, key
