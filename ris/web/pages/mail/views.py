"""Administration of messages to patients: each site's settings, and the texts in their versions with a preview."""

from collections.abc import Callable
from datetime import datetime, time, timedelta

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.clock import from_wall_clock, local
from ris.base.errors import RisError
from ris.base.uow import UnitOfWork
from ris.catalog.model import Site
from ris.notice import letter, service, texts
from ris.notice.language import Written, packaged
from ris.notice.letter import Appointment, Letter, Sender
from ris.notice.model import MailPolicy, NoticeKind
from ris.notice.policy import MOST_DELAY, NEW, PolicyData, sender_of, set_policy
from ris.staff.permission import Permission
from ris.web.access import may, not_here, requires, sites_for
from ris.web.form import Form
from ris.web.page import changing, look_query, program, reading, use_key, used_before

bp = Blueprint("mail", __name__, url_prefix="/mail", template_folder="templates")

_NOBODY = Sender("Example site", "UTC", "radiology@example.org", "Example site", "", "555-0100", "1 Main Street")
_EXAMPLE = "https://ris.example.org/stop-mail/example"


@bp.get("")
@requires(Permission.RULE_MANAGE)
def index() -> ResponseReturnValue:
    look_query("messages to patients", {})
    with reading() as session:
        sites = [site for site in session.query(Site).order_by(Site.name) if site.id in sites_for(Permission.RULE_MANAGE)]
        policies = {policy.site_id: policy for policy in session.query(MailPolicy)}
        written = {
            code: {kind: texts.versions(session, kind, code) for kind in NoticeKind} for code in texts.languages(session)
        }  # fmt: skip
    return render_template(
        "mail/index.html", sites=sites, policies=policies, written=written, kinds=list(NoticeKind), language_names=_language_names(),
        server=program().settings.mail.host,
    )  # fmt: skip


@bp.get("/sites/<int:mail_site_id>")
@requires(Permission.RULE_MANAGE)
def site(mail_site_id: int) -> ResponseReturnValue:
    found, policy = _site(mail_site_id)
    return _site_form(found, _filled(policy))


@bp.post("/sites/<int:mail_site_id>")
@requires(Permission.RULE_MANAGE)
def change_site(mail_site_id: int) -> ResponseReturnValue:
    found, _ = _site(mail_site_id)
    form = Form(request.form)
    data = _asked(form)
    if form.errors:
        return _site_form(found, form), 422
    version = int(form.value("row_version")) if form.value("row_version").isdigit() else None
    target = url_for("mail.site", mail_site_id=mail_site_id)
    return _save(
        target,
        lambda uow: set_policy(uow, mail_site_id, data, row_version=version),
        "Saved: it holds from the next message on.",
        lambda refused: _site_form(found, form, refused),
    )


@bp.get("/texts")
@requires(Permission.RULE_MANAGE)
def find_text() -> ResponseReturnValue:
    """Leads to the text of a kind in a language, also in one that is new."""
    language = request.args.get("language", "").strip().lower()[:8] or "en"
    return redirect(url_for("mail.text", kind=request.args.get("kind", NoticeKind.confirmation), language=language))


@bp.get("/texts/<kind>/<language>")
@requires(Permission.RULE_MANAGE)
def text(kind: str, language: str) -> ResponseReturnValue:
    """With `?version=` the form holds an older version, to be looked at or taken up again."""
    asked = _kind(kind)
    with reading() as session:
        versions = texts.versions(session, asked, language)
        chosen = [v for v in versions if v.number == request.args.get("version", type=int)] or versions[:1]
        written = chosen[0].written if chosen else texts.text_for(session, asked, [])[1]
    return _text_form(asked, language, written)


@bp.post("/texts/<kind>/<language>")
@requires(Permission.RULE_MANAGE)
def change_text(kind: str, language: str) -> ResponseReturnValue:
    asked = _kind(kind)
    written = Written(request.form.get("subject", ""), request.form.get("body", "").replace("\r\n", "\n"))
    if "preview" in request.form:
        return _text_form(asked, language, written)
    return _save(
        url_for("mail.text", kind=kind, language=language),
        lambda uow: service.write_text(uow, asked, language, subject=written.subject, body=written.body),
        "Saved as a new version: it holds from the next message on.",
        lambda refused: _text_form(asked, language, written, refused),
    )


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _save(target: str, work: Callable[[UnitOfWork], object], done: str, again: Callable[[str], str]) -> ResponseReturnValue:
    if (before := used_before()) is not None:
        return before
    try:
        with changing() as uow:
            work(uow)
            use_key(uow, target)
    except RisError as error:
        return again(error.message), error.http_status
    flash(done)
    return redirect(target, 303)


def _site(site_id: int) -> tuple[Site, MailPolicy | None]:
    with reading() as session:
        found = session.get(Site, site_id)
        if found is None:
            abort(404)
        if not may(Permission.RULE_MANAGE, site_id):
            raise not_here(Permission.RULE_MANAGE)
        return found, session.get(MailPolicy, site_id)


def _site_form(found: Site, form: Form, refused: str = "") -> str:
    return render_template(
        "mail/site.html", site=found, form=form, refused=refused, most_delay=MOST_DELAY,
        languages=sorted({*((code, known.name) for code, known in packaged().items())}), public=program().settings.mail.public_url,
    )  # fmt: skip


def _filled(policy: MailPolicy | None) -> Form:
    row: MailPolicy | PolicyData = policy or NEW
    return Form(
        {
            **{name: getattr(row, name) for name in ("sender", "sender_name", "reply_to", "phone", "place", "language")},
            "active": "on" if row.active else "",
            "needs_consent": "on" if row.needs_consent else "",
            "delay_minutes": str(row.delay_minutes),
            "reminder_hours": ", ".join(str(hours) for hours in row.reminder_hours),
            "quiet_from": f"{row.quiet_from:%H:%M}" if row.quiet_from else "",
            "quiet_until": f"{row.quiet_until:%H:%M}" if row.quiet_until else "",
            "row_version": str(policy.row_version) if policy else "",
        }
    )


def _asked(form: Form) -> PolicyData:
    active = form.value("active") == "on"
    return PolicyData(
        active=active,
        sender=form.text("sender", "The sender", required=active),
        sender_name=form.text("sender_name", "The name"),
        reply_to=form.text("reply_to", "The address for answers"),
        phone=form.text("phone", "The telephone number", required=active),
        place=form.text("place", "The place", required=active),
        language=form.value("language").lower() or "en",
        needs_consent=form.value("needs_consent") == "on",
        delay_minutes=form.number("delay_minutes", "The wait", least=0, most=MOST_DELAY, required=True) or 0,
        reminder_hours=_hours(form),
        quiet_from=_time(form, "quiet_from"),
        quiet_until=_time(form, "quiet_until"),
    )


def _hours(form: Form) -> tuple[int, ...]:
    words = form.text("reminder_hours", "The reminders").replace(",", " ").split()
    if not all(word.isascii() and word.isdigit() for word in words):
        form.errors["reminder_hours"] = "Reminders are whole hours before the appointment, such as 72, 24."
        return ()
    return tuple(int(word) for word in words)


def _time(form: Form, name: str) -> time | None:
    text = form.value(name)
    if not text:
        return None
    try:
        return time.fromisoformat(text)
    except ValueError:
        form.errors[name] = "A time is written like 20:00."
        return None


def _kind(name: str) -> NoticeKind:
    if name not in set(NoticeKind):
        abort(404)
    return NoticeKind(name)


def _text_form(kind: NoticeKind, language: str, written: Written, refused: str = "") -> str:
    with reading() as session:
        if not refused:
            try:
                texts.check(session, written.subject, written.body)
            except RisError as error:
                refused = error.message
        policy = session.query(MailPolicy).order_by(MailPolicy.site_id).first()
        shown = None if refused else _example(kind, language, written, sender_of(session, policy) if policy else _NOBODY)
        versions = texts.versions(session, kind, language)
    return render_template(
        "mail/text.html", kind=kind, language=language, language_names=_language_names(), written=written,
        refused=refused, shown=shown, versions=versions, gaps=texts.GAP_MEANINGS, subject_gaps=texts.SUBJECT_GAPS,
        body_gaps=texts.BODY_GAPS,
    )  # fmt: skip


def _example(kind: NoticeKind, language: str, written: Written, sender: Sender) -> Letter:
    """What an invented patient would read about an appointment in a week."""
    day = local(program().clock(), sender.zone).date() + timedelta(days=7)
    starts_at = from_wall_clock(datetime.combine(day, time(10)), sender.zone)
    appointment = Appointment(1, 1, starts_at, starts_at + timedelta(minutes=30), "CT chest with contrast", "Nothing to eat for 4 hours.")
    return letter.write(
        "example", kind, written, language, sender, "anna@example.org", "Anna Meadow", [appointment], stop=_EXAMPLE, now=program().clock()
    )


def _language_names() -> dict[str, str]:
    return {code: known.name for code, known in packaged().items()}
