"""Files, environment and secrets become settings; whatever is unknown or unsafe stops the start with a sentence."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from ris.base.clock import utc_now
from ris.bootstrap import Ris
from ris.processes.commands import main
from ris.processes.context import why_not_ready
from ris.settings import SECTIONS, PartnerSeed, Settings, SettingsError, known_names, load
from ris.staff.model import User
from tests.processes import settings_page

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "config/production.example.toml"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "ris.toml"
    path.write_text(text)
    return path


def refusal(tmp_path: Path, text: str = "", **environment: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(write(tmp_path, text), environment)
    return str(caught.value)


def test_without_a_file_everything_has_its_default() -> None:
    assert load(None, {}) == Settings()


def test_the_file_sets_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    settings = load(write(tmp_path, "[web]\nport = 9000\n"), {})
    assert (settings.web.port, settings.web.threads) == (9000, Settings().web.threads)


def test_the_environment_has_the_last_word(tmp_path: Path) -> None:
    settings = load(write(tmp_path, "[web]\nport = 9000\n"), {"RIS_WEB__PORT": "9001", "RIS_MODE": "demo", "HOME": "/nowhere"})
    assert settings.web.port == 9001


@pytest.mark.parametrize("name", sorted(known_names()))
def test_every_key_can_come_from_a_file_of_its_own(name: str, tmp_path: Path) -> None:
    good = {"RIS_MODE": "demo", "RIS_PATIENTS__LANGUAGE": "de", "RIS_MAIL__SECURITY": "tls"}
    good |= {f"RIS_JOBS__{job}_UTC": "01:00" for job in ("BACKUP", "CHARGE_EXPORT", "PROPOSE_MERGES", "VERIFY_SIGNATURES")}
    numbers = {"threads": "4", "absolute_hours": "5", "publication_delay_seconds": "7", "max_bytes": "2000", "behind_proxy": "true"}
    key = known_names()[name][-1]
    secret = tmp_path / "value"
    secret.write_text(f"{good.get(name, numbers.get(key, '11'))}\n")
    settings = load(None, {f"{name}_FILE": str(secret)})
    assert settings != Settings() or name == "RIS_MODE" or key == "threads"


def test_a_secret_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path, RIS_WEB__SECRET_KEY_FILE="/nowhere/secret") == (
        "RIS_WEB__SECRET_KEY_FILE: cannot read /nowhere/secret: No such file or directory"
    )


def test_a_secret_is_never_shown() -> None:
    settings = load(None, {"RIS_WEB__SECRET_KEY": "very secret", "RIS_DATABASE__KEY": "ab" * 32})
    assert "very secret" not in repr(settings)
    assert "abab" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[web]\nprot = 1\n", "web.prot: there is no such setting; did you mean port?"),
        ("[wbe]\nport = 1\n", "wbe: there is no such setting; did you mean web?"),
        ("mood = 'demo'\n", "mood: there is no such setting; did you mean mode?"),
        (
            '[[partner]]\nname="a"\napplication="b"\nfacility="c"\nzones="UTC"\n',
            "partner.0.zones: there is no such setting; did you mean zone?",
        ),
    ],
)
def test_an_unknown_key_stops_the_start_and_names_the_nearest(text: str, sentence: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, text) == sentence


def test_an_unknown_environment_name_stops_the_start_and_names_the_nearest(tmp_path: Path) -> None:
    assert refusal(tmp_path, RIS_WEB__PROT="1") == "RIS_WEB__PROT: there is no such setting; did you mean RIS_WEB__PORT?"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[web]\nport = 70000\n", "web.port"),
        ("[web]\nthreads = 0\n", "web.threads"),
        ("[jobs]\nbackup_utc = 'noon'\n", "jobs.backup_utc"),
        ("mode = 'test'\n", "mode"),
        ("[reports]\nclaim_minutes = 'ten'\n", "reports.claim_minutes"),
        ('[[partner]]\nname="a"\n', "partner.0.application"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(text: str, key: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, text).startswith(f"{key}: ")


def test_a_file_that_is_not_there_or_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no such file"):
        load(tmp_path / "absent.toml", {})
    assert "ris.toml" in refusal(tmp_path, "this is not TOML")


PRODUCTION = 'mode = "production"\n[web]\nsecret_key = "a secret of our own that is long enough"\n'


def test_production_starts_on_loopback_with_a_secret_of_its_own(tmp_path: Path) -> None:
    assert not load(write(tmp_path, PRODUCTION), {}).is_demo


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('mode = "production"\n', "web.secret_key"),
        ('mode = "production"\n[web]\nsecret_key = "short"\n', "web.secret_key"),
        (PRODUCTION + 'host = "0.0.0.0"\n', "web.host"),
        (PRODUCTION + 'host = "ris.example"\n', "web.host"),
        (PRODUCTION + '[mllp]\nhost = "0.0.0.0"\n', "mllp.host"),
        (PRODUCTION + '[mllp]\nhost = "::"\n', "mllp.host"),
        (PRODUCTION + "[mllp]\nprocesses = 2\n", "mllp.processes"),
    ],
)
def test_production_refuses_what_is_unsafe(text: str, key: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, text).startswith(f"{key}: ")


@pytest.mark.parametrize(
    "text",
    [
        PRODUCTION + 'host = "0.0.0.0"\nbehind_proxy = true\n',
        PRODUCTION + 'host = "localhost"\n',
        PRODUCTION + '[mllp]\nhost = "0.0.0.0"\nbehind_proxy = true\n',
        PRODUCTION + '[mllp]\nhost = "0.0.0.0"\ncertificate = "/etc/ris/mllp.pem"\n',
        'mode = "demo"\n[web]\nhost = "0.0.0.0"\n',
    ],
)
def test_what_is_protected_or_a_demo_may_listen_beyond_this_machine(text: str, tmp_path: Path) -> None:
    load(write(tmp_path, text), {})


def test_production_does_not_start_with_demo_users(ris: Ris) -> None:
    with ris.uow() as uow:
        uow.add(User(login="guest", family="Guest", given="A", password_hash="!", is_demo=True, created_at=utc_now()))
    assert why_not_ready(ris) == ""
    ris.settings = ris.settings.model_copy(update={"mode": "production"})
    assert "demo users guest" in why_not_ready(ris)
    with ris.uow() as uow:
        uow.session.query(User).one().active = False
    assert why_not_ready(ris) == ""


def test_a_database_without_the_newest_schema_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIS_DATA__DIR", str(tmp_path))
    done = CliRunner().invoke(main, ["db", "release"])
    assert done.exit_code == 2
    assert "run `manage.py db upgrade`" in done.output


def test_an_unknown_key_ends_every_command_with_status_two_and_the_sentence(tmp_path: Path) -> None:
    config = write(tmp_path, "[web]\nprot = 1\n")
    done = subprocess.run(
        [sys.executable, ROOT / "manage.py", "--config", config, "db", "check"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr.strip()) == (2, "web.prot: there is no such setting; did you mean port?")


def keys_named_in(text: str) -> set[str]:
    section, found = "", set()
    for line in text.splitlines():
        if header := re.fullmatch(r"\[+(\w+)\]+", line):
            section = header[1] + "."
        elif key := re.match(r"(?:# )?(\w+) = ", line):
            found.add(section + key[1])
    return found


def test_the_example_names_every_key_and_no_other() -> None:
    sections = {**SECTIONS, "partner": PartnerSeed}
    expected = {"mode"} | {f"{name}.{key}" for name, section in sections.items() for key in section.model_fields}
    assert keys_named_in(EXAMPLE.read_text()) == expected


def test_the_example_loads_and_its_values_are_the_defaults_but_where_it_says_so() -> None:
    with pytest.raises(SettingsError, match="secret_key"):
        load(EXAMPLE, {})
    load(EXAMPLE, {"RIS_WEB__SECRET_KEY": "x" * 32})
    text = "\n".join(line for line in EXAMPLE.read_text().splitlines() if "not the default" not in line)
    values = tomllib.loads(text)
    values.pop("partner")
    assert Settings.model_validate(values) == Settings()


def test_the_demo_configuration_is_a_demo() -> None:
    assert load(ROOT / "config/demo.toml", {}).is_demo


def test_the_page_of_settings_is_drawn_from_them() -> None:
    assert settings_page.PAGE.read_text(encoding="utf-8") == settings_page.draw(), "run `python -m tests.processes.settings_page`"
