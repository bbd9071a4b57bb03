"""The machine's settings: one TOML file, overridden by RIS_<SECTION>__<KEY>, secrets also from files; anything unknown stops the start."""

import difflib
import os
import tomllib
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError


class SettingsError(Exception):
    """The configuration is wrong; the text names the key and, where there is one, the nearest right one."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(_Section):
    dir: Path = Field(Path("data"), description="Folder of everything that the program writes: database, exports, backups.")


class Database(_Section):
    url: str = Field("", description="SQLAlchemy URL; empty: SQLite in the data folder.")
    key: SecretStr = Field(SecretStr(""), description="64 hexadecimal digits: encrypts the SQLite file at rest (SQLCipher).")


class Web(_Section):
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port of the browser's pages.")
    threads: int = Field(4, ge=1, le=64, description="Worker threads; more of them cost speed.")
    behind_proxy: bool = Field(False, description="A TLS proxy stands before it and sets X-Forwarded-For, -Proto and -Host.")
    secret_key: SecretStr = Field(SecretStr("demo-secret-not-for-production"), description="Signs one-use form keys.")
    idle_minutes: int = Field(15, ge=1, le=720, description="A session ends after so many minutes without use.")
    viewer_key: SecretStr = Field(SecretStr(""), description="Shared with the image viewers: signs the links to them. Empty: no links.")
    metrics_token: SecretStr = Field(SecretStr(""), description="Bearer token for /metrics; empty: it answers this machine alone.")
    absolute_hours: int = Field(12, ge=1, le=24, description="A session ends after so many hours in any case.")


class Mllp(_Section):
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(2575, ge=0, le=65535, description="Port of the HL7 listener.")
    processes: int = Field(
        1, ge=1, le=64, description="Listener processes of this machine, which share its ports; more than one on PostgreSQL only."
    )
    max_bytes: int = Field(16_777_216, ge=1_000, description="A longer message is refused.")
    idle_seconds: int = Field(3_600, ge=1, description="A connection that says nothing for so long is closed.")
    max_connections: int = Field(1_000, ge=1, description="More are refused at once.")
    unknown_partner: str = Field("", description="Name of the partner that unknown senders are taken for; empty: they are refused.")
    certificate: Path | None = Field(None, description="PEM file of the server certificate: switches TLS on.")
    certificate_key: Path | None = Field(None, description="PEM file of its private key.")
    client_authorities: Path | None = Field(None, description="PEM file of authorities whose client certificates are let in.")
    behind_proxy: bool = Field(False, description="A TLS proxy stands before it.")
    inbox: Path | None = Field(None, description="Folder whose files are taken in as messages or batches, then moved to its done/.")


class Reports(_Section):
    publication_delay_seconds: int = Field(180, ge=0, le=3_600, description="Between signing and publication; STAT: none.")
    claim_minutes: int = Field(10, ge=1, le=240, description="A claim that nobody renews ends after so many minutes.")


class Jobs(_Section):
    charge_export_utc: str = Field("03:30", pattern=r"^\d\d:\d\d$", description="Time of the nightly charge export, UTC.")
    backup_utc: str = Field("02:15", pattern=r"^\d\d:\d\d$", description="Time of the nightly backup, UTC; SQLite only.")
    propose_merges_utc: str = Field("04:00", pattern=r"^\d\d:\d\d$", description="Time of the nightly look for duplicate patients, UTC.")
    verify_signatures_utc: str = Field("01:30", pattern=r"^\d\d:\d\d$", description="Time of the nightly look at every signature, UTC.")
    backups_kept: int = Field(14, ge=1, description="How many nightly copies are kept; older ones are removed.")


class Patients(_Section):
    language: str = Field(
        "en", pattern=r"^[a-z]{2,3}$", description="What is spoken here, ISO 639: whose language is another one gets an alert."
    )


class Downtime(_Section):
    folder: Path | None = Field(
        None,
        description="Folder of the downtime packets, best on a disk that outlives the server; none: downtime/ in data.dir.",
    )
    kept: int = Field(24, ge=2, le=1_000, description="How many hourly packets are kept; older ones are removed.")


class Mail(_Section):
    host: str = Field("", description="The mail server that takes e-mails to patients; empty: none are sent.")
    port: int = Field(587, ge=1, le=65535, description="Its port: 587 with starttls, 465 with tls, as a rule.")
    security: Literal["starttls", "tls"] = Field(
        "starttls", description="starttls: TLS must begin before anything is said. tls: from the first byte. Never without."
    )
    user: str = Field("", description="Who logs in there; empty: nobody needs to.")
    password: SecretStr = Field(SecretStr(""), description="The password of that user.")
    authorities: Path | None = Field(None, description="PEM file of the authorities of its certificate; none: those of the machine.")
    timeout_seconds: int = Field(30, ge=1, le=300, description="How long it may take to answer.")
    bounces: Path | None = Field(
        None,
        description="Folder into which the mail server puts what comes back to the sender, one .eml a file; each is then in its done/.",
    )
    public_url: str = Field(
        "", description="https address under which patients reach /stop-mail/; empty: e-mails hold no link by which to stop them."
    )


class Results(_Section):
    folder: Path | None = Field(
        None, description="Folder of the reports that go to referrers as PDF files, one folder in it for each; none: results/ in data.dir."
    )
    url: str = Field(
        "",
        description="https address of these pages as others reach them: for links in e-mails to referrers and the code on printed reports.",
    )


class PartnerSeed(_Section):
    name: str = Field(description="What people call it.")
    application: str = Field(description="MSH-3.1 of what it sends.")
    facility: str = Field(description="MSH-4.1 of what it sends.")
    zone: str = Field("UTC", description="IANA zone of times without an offset.")
    authority: str = Field("", description="Assigning authority (CX.4) of identifiers that name none.")
    site: str = Field("", description="Code of the site where its orders are done unless they say otherwise.")
    charset: str = Field("", description="The MSH-18 value (table 0211) that holds when a message names none.")
    policies: dict[str, bool | int | str] = Field({}, description="What is agreed with it, by the names of docs/interfaces/hl7-in.md.")
    result_host: str = Field("127.0.0.1", description="Where its results go.")
    result_port: int | None = Field(None, ge=1, le=65535, description="The port for its results; without one it is sent nothing.")


class Settings(_Section):
    mode: Literal["demo", "production"] = Field(
        "demo", description="demo: invented hospital, printed passwords, a banner. production: neither."
    )
    data: Data = Data()
    database: Database = Database()
    web: Web = Web()
    mllp: Mllp = Mllp()
    reports: Reports = Reports()
    jobs: Jobs = Jobs()
    patients: Patients = Patients()
    downtime: Downtime = Downtime()
    mail: Mail = Mail()
    results: Results = Results()
    partner: tuple[PartnerSeed, ...] = Field((), description="The first partners; afterwards they are rows, edited in the browser.")

    @property
    def is_demo(self) -> bool:
        return self.mode == "demo"

    @property
    def database_url(self) -> str:
        return self.database.url or f"sqlite:///{self.data.dir.resolve() / 'ris.db'}"

    @property
    def public_url(self) -> str:
        """Where others reach the pages; empty: nobody has said it. In a demo it is this machine."""
        return self.results.url.rstrip("/") or (f"http://{self.web.host}:{self.web.port}" if self.is_demo else "")

    @property
    def results_folder(self) -> Path:
        return self.results.folder or self.data.dir / "results"


SECTIONS: dict[str, type[_Section]] = {
    "data": Data, "database": Database, "web": Web, "mllp": Mllp, "reports": Reports, "jobs": Jobs, "downtime": Downtime,
    "mail": Mail, "patients": Patients, "results": Results,
}  # fmt: skip


SHORTEST_SECRET = 32


def known_names() -> dict[str, tuple[str, ...]]:
    """Every environment variable and the path of the key that it sets."""
    names = {f"RIS_{s}__{k}".upper(): (s, k) for s, section in SECTIONS.items() for k in section.model_fields}
    return {"RIS_MODE": ("mode",), **names}


def load(path: Path | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a file and an environment. Raises SettingsError."""
    values = _read(path) if path else {}
    for name, text in environment.items():
        if name.startswith("RIS_") and name != "RIS_CONFIG":
            _set(values, *_from_environment(name, text))
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_explain(error)) from error
    _refuse_the_unsafe(settings)
    return settings


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(f"{path}: there is no such file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{path}: {error}") from error


def _from_environment(name: str, text: str) -> tuple[tuple[str, ...], str]:
    names = known_names()
    if name in names:
        return names[name], text
    if name.endswith("_FILE") and name.removesuffix("_FILE") in names:
        try:
            return names[name.removesuffix("_FILE")], Path(text).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingsError(f"{name}: cannot read {text}: {error.strerror}") from error
    raise SettingsError(f"{name}: there is no such setting{_nearest(name, list(names))}")


def _set(values: dict[str, Any], path: tuple[str, ...], text: str) -> None:
    for key in path[:-1]:
        values = values.setdefault(key, {})
    values[path[-1]] = text


def _explain(error: ValidationError) -> str:
    lines = []
    for fault in error.errors():
        path = [str(part) for part in fault["loc"]]
        message = "there is no such setting" + _nearest(path[-1], _siblings(path)) if fault["type"] == "extra_forbidden" else fault["msg"]
        lines.append(f"{'.'.join(path)}: {message}")
    return "\n".join(lines)


def _siblings(path: list[str]) -> list[str]:
    if len(path) == 1:
        return list(Settings.model_fields)
    section = PartnerSeed if path[0] == "partner" else SECTIONS.get(path[0], Settings)
    return list(section.model_fields)


def _nearest(name: str, candidates: list[str]) -> str:
    close = difflib.get_close_matches(name, candidates, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refuse_the_unsafe(settings: Settings) -> None:
    """Production with default secrets, in clear text beyond this machine, or with writers that wait for each other does not start."""
    if settings.is_demo:
        return
    secret = settings.web.secret_key.get_secret_value()
    if len(secret) < SHORTEST_SECRET or secret == Web().secret_key.get_secret_value():
        raise SettingsError(f"web.secret_key: production needs its own, {SHORTEST_SECRET} characters or more (RIS_WEB__SECRET_KEY_FILE)")
    if not _is_loopback(settings.web.host) and not settings.web.behind_proxy:
        raise SettingsError(f"web.host: {settings.web.host} is not loopback, and no TLS proxy is declared (web.behind_proxy)")
    if not _is_loopback(settings.mllp.host) and not (settings.mllp.certificate or settings.mllp.behind_proxy):
        raise SettingsError(f"mllp.host: {settings.mllp.host} is not loopback: set mllp.certificate, or mllp.behind_proxy")
    if settings.mail.host and not settings.mail.public_url.startswith("https://"):
        raise SettingsError("mail.public_url: patients must be able to stop e-mails: an address that begins with https://")
    if settings.mllp.processes > 1 and not settings.database.url.startswith("postgresql"):
        raise SettingsError("mllp.processes: SQLite has one writer at a time: leave it at 1, or set database.url")
