"""Every page of the program: one line each."""

from flask import Blueprint

from ris.web.pages.account.views import bp as account
from ris.web.pages.audit.views import bp as audit
from ris.web.pages.catalog.views import bp as catalog
from ris.web.pages.charges.views import bp as charges
from ris.web.pages.consent.views import bp as consent
from ris.web.pages.critical.shifts import bp as on_call
from ris.web.pages.critical.views import bp as critical
from ris.web.pages.distribution.printing import bp as printing
from ris.web.pages.distribution.verify import bp as verify
from ris.web.pages.distribution.views import bp as distribution
from ris.web.pages.exam.views import bp as exam
from ris.web.pages.forms.views import bp as forms
from ris.web.pages.grouping.views import bp as grouping
from ris.web.pages.health.views import bp as health
from ris.web.pages.imports.views import bp as imports
from ris.web.pages.interfaces.views import bp as interfaces
from ris.web.pages.labels.views import bp as labels
from ris.web.pages.macros.views import bp as macros
from ris.web.pages.mail.patient import bp as patient_mail
from ris.web.pages.mail.stop import bp as stop
from ris.web.pages.mail.views import bp as mail
from ris.web.pages.merges.proposals import bp as proposals
from ris.web.pages.merges.views import bp as merges
from ris.web.pages.mine.views import bp as mine
from ris.web.pages.orders.blueprints import bp as orders
from ris.web.pages.orders.missing import bp as missing
from ris.web.pages.partners.views import bp as partners
from ris.web.pages.patient.contacts import bp as contacts
from ris.web.pages.patient.coverage import bp as coverage
from ris.web.pages.patient.registration import bp as registration
from ris.web.pages.patient.views import bp as patient
from ris.web.pages.perform.views import bp as perform
from ris.web.pages.places.views import bp as places
from ris.web.pages.protocol.views import bp as protocol
from ris.web.pages.questionnaires.views import bp as questionnaires
from ris.web.pages.reading_rules.views import bp as reading_rules
from ris.web.pages.referrers.views import bp as referrers
from ris.web.pages.report.images import bp as images
from ris.web.pages.report.texts import bp as texts
from ris.web.pages.report.views import bp as report
from ris.web.pages.report_search.views import bp as report_search
from ris.web.pages.rules.exam import bp as exam_rules
from ris.web.pages.rules.views import bp as rules
from ris.web.pages.scan.views import bp as scan
from ris.web.pages.schedule.sheet import bp as sheet
from ris.web.pages.schedule.views import bp as schedule
from ris.web.pages.screening.views import bp as screening
from ris.web.pages.search.views import bp as search
from ris.web.pages.tablet.views import bp as tablet
from ris.web.pages.tasks.views import bp as tasks
from ris.web.pages.users.views import bp as users
from ris.web.pages.walkin.views import bp as walkin
from ris.web.pages.wet.views import bp as wet
from ris.web.pages.worklist.reading import bp as reading
from ris.web.pages.worklist.views import bp as worklist

PAGES: tuple[Blueprint, ...] = (
    account,
    audit,
    catalog,
    charges,
    contacts,
    coverage,
    consent,
    critical,
    distribution,
    exam,
    exam_rules,
    forms,
    grouping,
    health,
    images,
    imports,
    interfaces,
    labels,
    macros,
    mail,
    merges,
    mine,
    missing,
    on_call,
    orders,
    partners,
    patient,
    patient_mail,
    registration,
    perform,
    printing,
    places,
    proposals,
    protocol,
    questionnaires,
    reading,
    reading_rules,
    referrers,
    report,
    report_search,
    rules,
    scan,
    schedule,
    screening,
    search,
    sheet,
    stop,
    tablet,
    tasks,
    texts,
    users,
    verify,
    walkin,
    wet,
    worklist,
)
