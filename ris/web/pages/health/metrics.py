"""The figures of the interfaces page in the text format of Prometheus."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from ris.base.database import log_bytes
from ris.exports import downtime
from ris.journal import rates as journal
from ris.notice import queries as notices
from ris.outbox import hold
from ris.outbox import queries as outbox
from ris.outbox import rates as outgoing
from ris.task.queries import open_by_kind

Sample = tuple[dict[str, str], float]
"""Labels and value."""
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Metric:
    name: str
    meaning: str
    samples: list[Sample]


def exposition(session: Session, now: datetime) -> str:
    """All metrics, each a gauge with its meaning."""
    return "".join(line for metric in _metrics(session, now) for line in _lines(metric))


def _metrics(session: Session, now: datetime) -> Iterator[Metric]:
    sources = journal.sources(session, now, now - HOUR)
    of_source = [{"partner": row.name} for row in sources]
    yield _metric("ris_source_messages_5m", "Messages received in the last five minutes.", of_source, [r.five_minutes for r in sources])
    yield _metric("ris_source_messages_1h", "Messages received in the last hour.", of_source, [r.hour for r in sources])
    yield _metric("ris_source_refused_1h", "Messages refused or set aside in the last hour.", of_source, [r.refused_today for r in sources])
    yield _metric("ris_source_silent_seconds", "Since the last message; none for who never sent.", of_source,
                  [_age(row.last_at, now) for row in sources])  # fmt: skip
    queues = outbox.queues(session)
    rates = outgoing.rates(session, now, now - HOUR)
    of_queue = [{"destination": row.name} for row in queues]
    sent = [rates.get(row.destination_id, outgoing.Rate()) for row in queues]
    yield _metric("ris_destination_waiting", "Deliveries that wait.", of_queue, [row.waiting for row in queues])
    yield _metric("ris_destination_parked", "Deliveries that a person must decide about.", of_queue, [row.parked for row in queues])
    yield _metric("ris_destination_oldest_seconds", "Age of the oldest that waits; 0 when none does.", of_queue,
                  [_age(row.oldest_at, now) or 0 for row in queues])  # fmt: skip
    yield _metric("ris_destination_held", "1 while a person holds it.", of_queue, [int(row.held) for row in queues])
    yield _metric("ris_destination_delivered_5m", "Deliveries accepted in the last five minutes.", of_queue, [r.five_minutes for r in sent])
    yield _metric("ris_destination_delivered_1h", "Deliveries accepted in the last hour.", of_queue, [rate.hour for rate in sent])
    yield _metric("ris_destination_failed_1h", "Tries that were not accepted in the last hour.", of_queue, [r.failed_today for r in sent])
    mail = notices.queue(session, now, now - HOUR)
    yield _metric("ris_mail_waiting", "E-mails to patients that are due.", [{}], [mail.waiting])
    yield _metric("ris_mail_later", "E-mails to patients that wait for their time.", [{}], [mail.later])
    yield _metric("ris_mail_oldest_seconds", "Since the oldest of them was due; 0 when none is.", [{}], [_age(mail.oldest_at, now) or 0])
    yield _metric("ris_mail_sent_1h", "E-mails that the mail server took in the last hour.", [{}], [mail.sent_1h])
    yield _metric("ris_mail_refused_1h", "E-mails that were given up in the last hour.", [{}], [mail.refused_since])
    packet_age = downtime.age(session, now)
    if packet_age is not None:
        yield Metric("ris_downtime_packet_age_seconds", "Since the last downtime packet was written.", [({}, packet_age.total_seconds())])
    yield Metric("ris_outbound_held", "1 while everything outbound is held.", [({}, float(bool(hold.why_held(session))))])
    tasks = sorted(open_by_kind(session).items())
    yield Metric("ris_tasks_open", "Open tasks.", [({"kind": kind}, float(count)) for kind, count in tasks])
    log_size = log_bytes(session.get_bind().engine)
    if log_size is not None:
        yield Metric("ris_sqlite_log_bytes", "Size of the write-ahead log of SQLite.", [({}, float(log_size))])


def _metric(name: str, meaning: str, labels: Iterable[dict[str, str]], values: Iterable[float | None]) -> Metric:
    """One sample for each thing that has a value."""
    return Metric(name, meaning, [(names, float(value)) for names, value in zip(labels, values, strict=True) if value is not None])


def _age(moment: datetime | None, now: datetime) -> float | None:
    return max((now - moment).total_seconds(), 0.0) if moment else None


def _lines(metric: Metric) -> Iterator[str]:
    yield f"# HELP {metric.name} {metric.meaning}\n# TYPE {metric.name} gauge\n"
    for labels, value in metric.samples:
        named = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
        yield f"{metric.name}{{{named}}} {value:g}\n" if named else f"{metric.name} {value:g}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
