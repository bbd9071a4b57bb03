"""What each page, button of a worklist and field of a form is for, in one sentence: the page says it, and so does the documentation."""

PAGES = {
    "Schedule": "The rooms of one day side by side, and the exams that still need an appointment.",
    "To schedule": "Every exam without an appointment, the most urgent first, with whom to call and who was called.",
    "Missing data": "Exams that lack something, from a side to a laboratory value, each with what mends it.",
    "To move": "Appointments that cannot stay where they are, because a room is closed or out of order.",
    "New patient": "Registers somebody who is not known yet; who might be the same person is shown before.",
    "Referrers": "Who orders exams: practices, telephone, fax and e-mail, and the way that results reach them.",
    "Arrivals": "Who is expected today: note who has come, who did not, and print labels.",
    "Waiting": "Who sits in the waiting room, for how long, and how far each room is behind.",
    "Exams": "The exams of the rooms: start, write down what was done, complete.",
    "Reading": "Exams that wait for a report, the most urgent first, and who is at which.",
    "My reports": "Your own reports: begun, sent back to you, or waiting for your signature.",
    "Critical": "Critical results of which somebody must be told, with the time that is left.",
    "To print": "Reports that go to referrers as letters or faxes: print them, and say that they are printed.",
    "Find reports": "Signed reports by their words, with filters for exam, part of the text and time.",
    "Macros": "Texts that a shortcut stands for in a report: your own, and those of all.",
    "Protocols": "Exams for which somebody says beforehand how they are done.",
    "Charges": "What is held back from billing and why, and what goes out tonight.",
    "Tasks": "What the program could not decide and a person must.",
    "Merges": "Patients who were registered twice: compare, merge, take back.",
    "Interfaces": "Connections, messages in and out, and what waits or was refused.",
    "Partners": "The systems around this one: where they are and how they want to be spoken to.",
    "Audit": "Who has seen or changed what, sealed.",
    "Users": "Who may log in, and what each may do at which site.",
    "Catalogue": "Procedures with their durations, preparation, materials and codes.",
    "Files": "Lists that are brought in or taken out as files, with a trial run that names each fault.",
    "Places": "Sites, rooms, opening hours, closures and holidays.",
    "On call": "Who is fetched when a critical result has waited too long, for each duty and site.",
    "Forms": "What patients are asked before an exam, in their language, and what their answers mean.",
    "Rules": "What speaks against an exam, how severely, and who may decide otherwise.",
    "Reading rules": "How long a reading may wait, by priority.",
    "E-mails": "What patients are written and when, and what was sent.",
}
"""By the label of the bar."""

DEEDS = {
    "arrivals": {
        "arrive": "The patient is here: the exam moves to the waiting list of its room.",
        "undo": "Takes the last step back, as long as nothing was built on it.",
        "no_show": "The patient did not come: the place is free, and the exam waits for another one.",
        "label": "Prints the labels and the wristband.",
        "forms": "Opens the forms that the patient has to fill, also for the tablet.",
        "came": "The patient came after all: the appointment stands again.",
    },
    "unscheduled": {
        "book": "Shows the next free times, and books one of them.",
        "no-answer": "Notes that nobody answered the telephone.",
        "message": "Notes that a message was left.",
        "reached": "Notes that the patient was reached, and what was said.",
        "declined": "The patient does not want the exam: notes why.",
    },
    "to-move": {
        "move": "Shows where else the exam could be, and moves it there.",
        "stays": "The appointment stays where it is: says why.",
    },
    "queue": {
        "undo": "Takes the arrival back: the patient is expected again.",
        "forms": "Opens the forms that the patient has to fill, also for the tablet.",
    },
    "technologist": {
        "start": "Opens the check list, and begins the exam.",
        "open": "Opens the exam, to write down what was given and done.",
        "complete": "The images are made: the exam goes to the readers, and billing is told.",
        "discontinue": "Breaks the exam off, with the reason.",
    },
    "protocol": {"open": "Opens what is known of the exam, to say how it shall be done."},
    "reading": {
        "read": "Opens the report and puts your name to it, so that nobody reads it twice.",
        "reserve": "Keeps the exam for you; others see it, and reading the next one passes it over for them.",
        "let_go": "The exam is anybody's again.",
        "assign": "Gives the exam to somebody: it stands on that person's list.",
    },
}
"""By worklist and deed."""

FIELDS = {
    "Order an exam": {
        "Exam": "Code, or a word of its name; the code of an order set stands for all its exams.",
        "Priority": "How soon: it sorts every list, and STAT is looked for first.",
        "Wished for": "By the clock of the site; empty: as soon as there is room.",
        "Ordered by": "Choose a referrer by the first letters, or write family name, given name.",
        "Orderer's number": "Comes with a referrer that is chosen.",
        "Callback number": "Where the orderer is reached with questions and critical results.",
        "Reason": "What the exam shall answer: the reader sees it first.",
        "Diagnosis": "What is known already, in words or as a code.",
        "Clinical information": "Complaints, operations, earlier findings: whatever the reader should know.",
        "Danger": "What whoever meets the patient must know: infection, implant, falls.",
        "Transport": "Walks, wheelchair, bed.",
        "Copies to": "Who else gets the result, one name a line.",
    },
    "Patient": {
        "Family name": "As it stands in the passport or on the insurance card.",
        "Given name": "The first of several; the others belong into the next field.",
        "Birth date": "With it the record is found, and told from others of the same name.",
        "Sex": "As the exam needs it: doses, normal values and the question of pregnancy hang on it.",
        "Telephone": "The number that is called first when a place comes free.",
        "Other number": "Of a relative, or at work.",
        "E-mail": "Where confirmations and reminders go, unless the patient does not want them.",
        "Language": "Two letters: en, es, de. E-mails to the patient are written in it.",
        "Prefers": "The way that is tried first.",
    },
    "Walk-in": {
        "Reason": "What the referral says, or why the patient comes.",
        "Ordered by": "As it stands on the referral: Grove, Oscar.",
        "Room": "A room that is chosen is booked from now on.",
        "Why overbook": "Only for a room that is taken now.",
    },
}
"""By form and label."""


def of_field(form: str, label: str) -> str:
    return FIELDS[form][label]


def of_deed(worklist: str, deed: str) -> str:
    return DEEDS[worklist][deed]
