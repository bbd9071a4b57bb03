"""Every kind of task: what it is called, and what a person does about it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TaskKind:
    title: str
    what_to_do: str


KINDS = {
    "map_procedure": TaskKind("Unknown procedure code", "Map the sender's code to one of ours; every exam with it is resolved."),
    "order_conflict": TaskKind("Order number with another patient", "Ask the sender: the order number belongs to another patient here."),
    "cancel_refused": TaskKind("Cancellation came too late", "The exam has begun: tell the orderer, or discontinue it."),
    "identity_differs": TaskKind("Patient named otherwise", "Ask the sender: the order may be for another patient."),
    "unknown_patient": TaskKind("Unknown patient", "Find out who it is: merge the record into the known one, or correct its name."),
    "visit_conflict": TaskKind("Visit of another patient", "Ask the sender which visit the order belongs to."),
    "visit_cancelled": TaskKind("Visit cancelled", "Ask whether the exams of this order are still wanted."),
    "report_arrived": TaskKind("A report has come", "Read the message, and take from it what belongs into the report."),
    "report_unmatched": TaskKind("A report without an exam", "Find the exam that it belongs to, or file it outside."),
    "critical_overdue": TaskKind("Critical result: nobody was told", "Tell who must know now, and write it down on the result's page."),
    "critical_taken_back": TaskKind("Critical result does not hold", "Tell everybody who was told of it that it does not hold."),
    "earlier_slot": TaskKind("An earlier slot is free", "Ask the patient, and say on the waiting list whether it is wanted."),
    "appointment_to_move": TaskKind(
        "Appointment to move", "Its room, or who helps, is not there for it any more: agree on another time, or say why it stays."
    ),
    "order_held": TaskKind("Order on hold", "Nothing shall be done with it: free the appointment, or ask for how long."),
    "hold_ended": TaskKind("Hold has ended", "Book the order, hold it again, or cancel it."),
    "protocol_rejected": TaskKind(
        "Protocol rejected", "Find out or change what the radiologist asks for, and hand it in again on the protocol page."
    ),
    "form_positive": TaskKind(
        "An answer on a form matters", "Clear it up with the patient before the exam, and say on the form's page what was found out."
    ),
    "message_quarantined": TaskKind("Message set aside", "It stopped the program: replay it corrected, or repair that and let it in."),
    "delivery_parked": TaskKind("Message refused by the partner", "Correct, resend or skip it on the interfaces page."),
    "destination_late": TaskKind("Messages do not get through", "Ring the partner, or release what is held: see the interfaces page."),
    "downtime_old": TaskKind("No fresh downtime packet", "Free the disk or mend the folder that it names: see the runbook about downtime."),
    "signature_broken": TaskKind(
        "A signed report was changed",
        "Compare it with the backup and with what went out, and find out who changed it: see the runbook about it.",
    ),
    "result_undelivered": TaskKind(
        "A report did not reach its recipient", "Send it again or another way: see who gets the report, on the page of the exam."
    ),
    "result_late": TaskKind("Reports do not get through", "E-mails or files of reports wait: see what their records say, and mend it."),
    "mail_refused": TaskKind("E-mail to a patient did not arrive", "Correct the address and send it again, or telephone the patient."),
    "mail_too_late": TaskKind("Telephone the patient", "The e-mail leaves only when the appointment has begun: tell the patient now."),
    "mail_late": TaskKind("E-mails to patients do not get through", "See what the mail server says on the interfaces page."),
    "double_booked_after_merge": TaskKind("Two appointments at one time", "A merge brought them together: move one."),
    "merge_conflict": TaskKind("Merge refused", "Ask the sender which patient survives."),
}
