"""The search keys of the patients that are known already"""

import unicodedata

import jellyfish
import sqlalchemy as sa
from alembic import op

revision = "f19c6e20a4d7"
down_revision = "e83b1d5f70c2"
branch_labels = None
depends_on = None

PIECE = 5_000
APART = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"} | dict.fromkeys("'’ʼ`´.", None))
SPACES = str.maketrans(dict.fromkeys("-‐‑–_,", " "))
KEYS = ("family_key", "given_key", "family_last", "sound", "phone_key")

patient = sa.table("patient", *(sa.column(name) for name in ("id", "family", "given", "phone", *KEYS)))


def upgrade() -> None:
    connection = op.get_bind()
    last = -1
    change = sa.update(patient).where(patient.c.id == sa.bindparam("known")).values({name: sa.bindparam(f"new_{name}") for name in KEYS})
    wanted = sa.select(patient.c.id, patient.c.family, patient.c.given, patient.c.phone).order_by(patient.c.id).limit(PIECE)
    while rows := connection.execute(wanted.where(patient.c.id > last)).all():
        connection.execute(change, [{"known": row.id} | _keys(row.family, row.given, row.phone) for row in rows])
        last = rows[-1].id


def downgrade() -> None:
    """The keys fall with their columns."""


def _keys(family: str, given: str, phone: str) -> dict[str, str]:
    family_key, given_key = _folded(family), _folded(given)
    _, parted, last = family_key.rpartition(" ")
    spoken = _sound(family_key)
    return {
        "new_family_key": family_key,
        "new_given_key": given_key,
        "new_family_last": last if parted else "",
        "new_sound": f"{spoken} {_sound(given_key)}" if spoken else "",
        "new_phone_key": "".join(c for c in reversed(phone) if c.isdecimal() and c.isascii()),
    }


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold().translate(APART))
    return " ".join("".join(c for c in plain if not unicodedata.combining(c)).translate(SPACES).split())


def _sound(name: str) -> str:
    first = name.partition(" ")[0]
    return jellyfish.metaphone(first.replace("y", "i")) if first.isascii() else ""
