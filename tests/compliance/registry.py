"""The rules, how each is kept, and the line whose change breaks it.

Rules 1-14 and 44-48 are those of the compliance checklist, the care rules those of the clinical
one; the words here are ours. A sabotaged line is short and stable; `make test` finds one that has
moved away.
"""

from tests.compliance.rules import Promise, Rule, Sabotage

_STOPPING, _HEARING = "worker/replying/stopping.py", "worker/replying/hearing.py"
_GATES, _SCHEMA = "worker/gates.py", "records/migrations/versions/0001_the_first_schema.py"

RULES: tuple[Rule, ...] = (
    Rule(
        id="1",
        words="Nobody is texted for a purpose they did not agree to. The consent is an entry that"
        " says to what, with which words, how, when and by whom.",
        how="Each started text has a purpose. The claim reads the patient's purposes with the row"
        " and ends it as skipped (`no_consent`) before the carrier is called.",
        sabotage=Sabotage(
            file=_GATES,
            old="if not _agreed_to(due):",
            new="if False:",
            what="the claim does not look at the purposes agreed to",
        ),
    ),
    Rule(
        id="2",
        words="Consent, stop, hours, cap and the visit are checked in the sending transaction, not"
        " only when planning.",
        how="`worker/gates.py` judges each due row under the sender's lock, by what the database"
        " says at that moment.",
        sabotage=Sabotage(
            file=_GATES,
            old="if due.opt_out and due.template not in _AFTER_A_STOP:",
            new="if False:",
            what="the claim does not look whether the number stopped",
        ),
    ),
    Rule(
        id="3",
        words="The first recurring text to a number confirms the opt-in, with name, help, how to"
        " stop, how often and that rates may apply; nothing comes before it.",
        how="The protocol `welcome` is always on, however old a consent is. Its one text is due at"
        " once, after a quiet import as soon as anything else is to go; the claim holds all other"
        " started texts back until it went to the number that the patient has now.",
        sabotage=Sabotage(
            file=_GATES,
            old='if due.kind != "started" or due.protocol == WELCOME'
            " or due.patient_id not in unwelcomed:",
            new="if True:",
            what="no text waits for the welcome",
        ),
    ),
    Rule(
        id="4",
        words="A changed number has agreed to nothing.",
        how="An import that changes a number revokes every purpose in the ledger, takes back the"
        " proof of the number, and cancels what is unsent.",
        sabotage=Sabotage(
            file="worker/intake/people.py",
            old="self._make_pending(session, person)",
            new="pass",
            what="an import changes a number and leaves the consent as it was",
        ),
    ),
    Rule(
        id="5",
        words="That the patient was warned of the risk of plain texts and wants them is stored; a"
        " clinic that requires it texts nobody without.",
        how="`sms_risk_ack` of an imported row is kept, sealed, with the patient, and in the"
        " ledger; a consent that staff write down is refused without it.",
        sabotage=Sabotage(
            file="worker/intake/patients.py",
            old='"sms_risk_ack": values.yes_no,',
            new="",
            what="an import leaves the acknowledged warning out",
        ),
    ),
    Rule(
        id="6",
        words="The log of consents and stops only grows, and is kept for years.",
        how="Triggers refuse to change or delete an entry, whoever asks; the processes' role may"
        " delete no stop. Nothing in the product deletes either.",
        sabotage=Sabotage(
            file=_SCHEMA,
            old='for table in ("consent", "audit_event", "appointment_event", "follow_up_event")',
            new='for table in ("audit_event", "appointment_event", "follow_up_event")',
            what="the schema protects the other ledgers and forgets this one",
        ),
    ),
    Rule(
        id="7",
        words="A keyword in any case, spacing, width or punctuation, English, Spanish or French,"
        " stops in the very request that stored the text.",
        how="The webhook's transaction reads the text and applies the stop"
        " (`worker/replying/stopping.py`) before it answers the carrier.",
        sabotage=Sabotage(
            file=_HEARING,
            old="if _stops(reading):",
            new="if False:",
            what="the storing transaction leaves the stop to a later step",
        ),
    ),
    Rule(
        id="8",
        words="A stop in a sentence is applied, or a person decides; it is never ignored.",
        how="Phrases of the word lists, and what surely resembles a stop, stop at once; what may be"
        " one opens an item.",
        sabotage=Sabotage(
            file="messages/keywords.py",
            old="return _stop_sentence(heard)",
            new="return None",
            what="only bare keywords stop",
            also=Sabotage(
                file="messages/resemblance.py",
                old="if whole >= enough and not _worries(hits) and not back:",
                new="if False:",
                what="what resembles a stop is none",
            ),
        ),
    ),
    Rule(
        id="9",
        words="A stop ends every unsent text to the number in the clinic, also what a worker has"
        " claimed; nothing waits at the carrier.",
        how="One statement cancels planned and claimed rows; the intent's compare-and-set then"
        " finds nothing to send. Texts are handed to the carrier only when due.",
        sabotage=Sabotage(
            file="records/stopping.py",
            old="_UNSENT = \"m.status IN ('planned', 'claimed') AND m.priority > 0\"",
            new="_UNSENT = \"m.status IN ('planned') AND m.priority > 0\"",
            what="a stop leaves texts alone that a worker has claimed",
        ),
    ),
    Rule(
        id="10",
        words="A stop is confirmed exactly once, by the carrier or by us, at once, without"
        " promotion.",
        how="`optout_handled_by` says who answers the carrier's own keywords; any other stop is"
        " confirmed by us, and a repeated one is not.",
        sabotage=Sabotage(
            file="worker/replying/leaving.py",
            old="if case.file.optout_handled_by is OptoutHandledBy.APP:",
            new="if True:",
            what="we confirm what the carrier has confirmed",
        ),
    ),
    Rule(
        id="11",
        words="When the carrier says that a number stopped (21610), at once or in a receipt, it is"
        " not texted again, staff learn of it, and it is not taken for the patient's own word.",
        how="`worker/unreachable.py` writes the stop with the code as its reason and cancels the"
        " rest; the follow-ups step opens an item.",
        sabotage=Sabotage(
            file="worker/unreachable.py",
            old="if not says_something(rule):",
            new="if True:",
            what="a refusal with 21610 is no more than one failed text",
        ),
    ),
    Rule(
        id="12",
        words="START lifts a stop made by keyword and no other; YES is no consent; no text asks"
        " for a word that the carrier acts on.",
        how="The stop's reason decides; the lint of texts knows the carrier's words.",
        sabotage=Sabotage(
            file=_STOPPING,
            old="if len(speakers) > 1 or before.reason != StopReason.KEYWORD.value:",
            new="if len(speakers) > 1:",
            what="START lifts a stop whatever it was made by",
        ),
    ),
    Rule(
        id="13",
        words="HELP is answered once, by one party, with name, contact, rates and how to stop.",
        how="`optout_handled_by` decides for the carrier's own words; we answer the others.",
        sabotage=Sabotage(
            file="worker/replying/leaving.py",
            old='if not _carrier_answers(case, "HELP"):',
            new="if True:",
            what="we answer HELP beside the carrier",
        ),
    ),
    Rule(
        id="14",
        words="Staff can write down a stop told by voice, mail or in person; it has the same"
        " effect.",
        how="`aftercare consent PATIENT revoke` writes to the ledger and takes claimed rows back,"
        " which are judged anew and end.",
        sabotage=Sabotage(
            file="worker/steps/consents.py",
            old="intake.release_of_patients(session, [person.id])",
            new="pass",
            what="a revocation by staff leaves a claimed text on its way",
        ),
    ),
    Rule(
        id="44",
        words="Words of danger reach staff at once and get one reply with 911 and 988; the alert"
        " does not depend on the reply.",
        how="The item that pages is opened first; the reply is one text of the highest priority,"
        " past every gate, and its failure is logged and costs nothing else.",
        sabotage=Sabotage(
            file="worker/replying/urgent.py",
            old="case.open(*case.read_as(bound=bound, keyword=case.body))",
            new="pass",
            what="a text about danger is answered and shown to nobody",
        ),
    ),
    Rule(
        id="45",
        words="Whoever says that the number is theirs is left alone, staff are told, and the"
        " answer says nothing of anybody's health.",
        how="A wrong number is a stop that no START lifts; the answer names no clinic.",
        sabotage=Sabotage(
            file=_HEARING,
            old="return reading.opt_out or reading.intent is Intent.wrong_number",
            new="return reading.intent is Intent.stop",
            what="a wrong number stops nothing",
        ),
    ),
    Rule(
        id="46",
        words="C belongs to the visit that was asked about last; where the patient may mean"
        " another, they are asked. An answer that comes too late reaches a person.",
        how="A reply is bound to the open prompts of its number; C confirms one start time.",
        sabotage=Sabotage(
            file="records/conversation.py",
            old="OR (m.expects = 'appointment_reminder' AND a.starts_at > w.at))",
            new="OR m.expects = 'appointment_reminder')",
            what="C confirms a visit that has begun",
        ),
    ),
    Rule(
        id="47",
        words="A number that the carrier calls out of service, deactivated or reassigned when it is"
        " texted, or lists as given up, is not texted again until it is verified.",
        how="Codes that say so (`suspends_number`) and the carrier's daily lists"
        " (`worker/steps/deactivations.py`) end what is unsent and open an item; a text from the"
        " number or a recorded consent proves it again. The FCC's database is not asked.",
        sabotage=Sabotage(
            file="worker/unreachable.py",
            old="return rule.error_class is ErrorClass.opt_out or rule.suspends_number",
            new="return rule.error_class is ErrorClass.opt_out",
            what="a number that is out of service is texted on",
        ),
    ),
    Rule(
        id="48",
        words="Each decision about a text, sent or not, can be looked up with its reason, time and"
        " the rules it came from.",
        how="The row keeps state and reason, a trigger keeps every change, and the enrollment"
        " leads to the protocol: `aftercare messages`, `aftercare history`.",
        sabotage=Sabotage(
            file=_SCHEMA,
            old="WHERE o.status IS DISTINCT FROM n.status OR o.due_at IS DISTINCT FROM n.due_at",
            new="WHERE false",
            what="the history misses changes of state",
        ),
    ),
    Rule(
        id="care 17",
        words="While a number is asked for, ALTO, BAJO and BAJA mean high and low: asked about"
        " once, never a stop. A bare CANCEL, END or QUIT stops, and a person asks what was meant.",
        how="The reading looks at the open question first; the item is one of its own kind.",
        sabotage=Sabotage(
            file="messages/keywords.py",
            old="if level and numeric(heard.prompts):",
            new="if False:",
            what="ALTO stops although a number was asked for",
        ),
    ),
    Rule(
        id="care 18",
        words="Our own words quoted back, a phone's own replies and a thumb answer no more than"
        " they say; danger is read over the texts of three minutes; `sorry, 3` corrects an 8.",
        how="The words are cleaned before they are read; the number's last texts are read with"
        " them.",
        sabotage=Sabotage(
            file=_HEARING,
            old="JOINED_WITHIN = timedelta(minutes=3)",
            new="JOINED_WITHIN = timedelta(0)",
            what="each text is read by itself",
        ),
    ),
    Rule(
        id="care 20",
        words="A bare YES answers the open question. START brings back neither missed texts nor"
        " health questions. PAUSE rests check-ins for a week. B asks for a call.",
        how="START grants back what the keyword took, health questions excepted, and expires what"
        " was missed.",
        sabotage=Sabotage(
            file=_STOPPING,
            old='_NOT_BY_KEYWORD = "health_questions"',
            new='_NOT_BY_KEYWORD = "nothing"',
            what="START gives back health questions too",
        ),
    ),
    Rule(
        id="care 21",
        words="A wrong number stops at once; what was delivered there is listed for an assessment;"
        " an undelivered welcome holds the rest.",
        how="The stop is written with a reason of its own, in the storing transaction; an item to"
        " assess a breach leads to what went there since the last answer; a welcome that came back"
        " skips all other texts (`welcome_failed`).",
        sabotage=Sabotage(
            file=_HEARING,
            old="return StopReason.WRONG_NUMBER",
            new="return StopReason.KEYWORD",
            what="START lifts the stop of a wrong number",
        ),
    ),
    Rule(
        id="care 22",
        words="Two patients on one number: stops and danger count for both, replies go to a"
        " person, neither is named to the other, and the second is not texted until staff choose.",
        how="A reply of a shared number is bound to nobody; items are opened for each.",
        sabotage=Sabotage(
            file="worker/replying/case.py",
            old="return people[0] if len(people) == 1 else None",
            new="return people[0] if people else None",
            what="the first of two patients stands for both",
        ),
    ),
    Rule(
        id="care 23",
        words="A safety reply speaks the language of the text received; each question for a number"
        " says what its ends mean.",
        how="The reading notes the language heard; a safety reply is rendered in it.",
        sabotage=Sabotage(
            file="worker/replying/case.py",
            old="return self.patient.language if self.patient and kind != SAFETY else heard",
            new="return self.patient.language if self.patient else heard",
            what="a safety reply speaks the language on record",
        ),
    ),
    Rule(
        id="care 25",
        words="A file lifts no stop, hold, close or death and replaces no newer consent; staff's"
        " edits win over what it repeats; an unknown status is an error and never a booking.",
        how="What the last file said is kept, sealed, beside each row and compared column by"
        " column; words are read from closed lists.",
        sabotage=Sabotage(
            file="worker/intake/merging.py",
            old="if value in (here, last):",
            new="if value == here:",
            what="a file that repeats itself is news against what staff changed",
        ),
    ),
    Rule(
        id="care 26",
        words="A reply from the number proves that it is the patient's, or staff who saw our text"
        " there; after-dose and check-in questions wait for that.",
        how="`proved_at` is set by a text that we received, and by `aftercare patient text-seen`,"
        " which asks who says so. A consent, from a file or recorded by staff, proves no number."
        " The planner skips what waits as `number_unproved`, and takes it back with the proof.",
        sabotage=Sabotage(
            file="schedules/gates.py",
            old="if not patient.proved and step.purpose is not Purpose.VISITS:",
            new="if False:",
            what="a stranger with a mistyped number is asked how they feel",
        ),
    ),
    Rule(
        id="care 28",
        words="Safety content changes only with the approval of a second person, a clinician, in"
        " every language in use; a changed phone or wording reaches queued texts; replies and"
        " stops to old numbers still count.",
        how="A proposal keeps what was read and by whom it was made; applying and publishing use up"
        " an approval of exactly that. Texts are rendered when they are claimed.",
        sabotage=Sabotage(
            file="worker/signoff.py",
            old="if by.id == proposal.proposed_by:",
            new="if False:",
            what="whoever proposes safety content approves it too",
        ),
    ),
    Rule(
        id="care 30",
        words="STOP and the clinic's phone stand in the welcome, in HELP, and in what a patient is"
        " texted: in each text that we start, or once every 30 days.",
        how="A started text gets at the claim what its words leave unsaid: each with `stop_footer:"
        " always`, else where no text said it for 30 days. A text counts from its claim on, and as"
        " long as it may have reached the number; previews and forecasts write by the same rule.",
        sabotage=Sabotage(
            file="schedules/telling.py",
            old="if days >= AGAIN_AFTER_DAYS:",
            new="if False:",
            what="a text without room never says it, however long ago it was said",
        ),
    ),
)

_SENDING, _SEND_TESTS = "records/sending.py", "tests/worker/test_send.py"
_REPLIES = "worker/steps/replies.py"

PROMISES: tuple[Promise, ...] = (
    Promise(
        words="Nothing goes out outside the send window",
        node="tests/schedules/test_windows.py::test_the_boundaries_are_half_open",
        sabotage=Sabotage(
            file="schedules/windows.py",
            old="wall = at.astimezone(zone).time()",
            new="wall = (at + timedelta(hours=1)).astimezone(zone).time()",
            what="the window is off by an hour",
        ),
    ),
    Promise(
        words="No more started texts a day than the cap",
        node=f"{_SEND_TESTS}::test_the_daily_cap_is_guarded_at_the_claim",
        sabotage=Sabotage(
            file=_GATES,
            old="if on_day >= caps.per_day:",
            new="if False:",
            what="the day's cap is forgotten",
        ),
    ),
    Promise(
        words="No text after its latest instant",
        node=f"{_SEND_TESTS}::test_the_recheck_ends_what_may_not_go",
        sabotage=Sabotage(
            file=_GATES,
            old="if due.latest_at <= now:",
            new="if False:",
            what="the deadline is not checked",
        ),
    ),
    Promise(
        words="A moved visit ends the texts made for its old time",
        node=f"{_SEND_TESTS}::test_the_recheck_ends_what_may_not_go",
        sabotage=Sabotage(
            file=_GATES,
            old="if due.revision is not None and due.revision != due.appointment_revision:",
            new="if False:",
            what="a stale revision is sent",
        ),
    ),
    Promise(
        words="A stop ends what a worker has claimed",
        node=f"{_SEND_TESTS}::test_a_stop_ends_a_claimed_row_before_its_intent",
        sabotage=Sabotage(
            file=_SENDING,
            old="WHERE status = 'claimed' AND claim_token = :token",
            new="WHERE true",
            what="the intent is no compare-and-set",
        ),
    ),
    Promise(
        words="A number that its carrier gave up since it was proved is not texted",
        node="tests/worker/test_deactivations.py"
        "::test_what_was_proved_before_its_day_ended_proves_nothing",
        sabotage=Sabotage(
            file="worker/unreachable.py",
            old="if _was_proved(session, to, listed_at) or patients.agreed_after("
            "session, people, listed_at):",
            new="if to.proved_at:",
            what="whoever was ever proved is texted on",
        ),
    ),
    Promise(
        words="Only the worker that claimed a text may send it",
        node="tests/compliance/test_promises.py::test_only_the_worker_that_claimed_may_send",
        sabotage=Sabotage(
            file=_SENDING,
            old="WHERE status = 'claimed' AND claim_token = :token",
            new="WHERE status = 'claimed'",
            what="a claim is taken without its token",
        ),
    ),
    Promise(
        words="A text that may have gone is not posted again blindly",
        node=f"{_SEND_TESTS}::test_a_lost_answer_is_unknown_and_not_posted_again",
        sabotage=Sabotage(
            file="worker/steps/outcomes.py",
            old='return _row(posted, "unknown", "unknown", outcome.reason,'
            " http=outcome.http_status)",
            new='return _row(posted, "not_processed", "planned", outcome.reason)',
            what="an unknown outcome is taken for a no",
        ),
    ),
    Promise(
        words="A status never goes back, in whatever order receipts come",
        node="tests/worker/test_receipts.py::test_any_order_of_receipts_ends_delivered",
        sabotage=Sabotage(
            file="messages/status.py",
            old="return reported if RANK[reported] > standing else current",
            new="return reported",
            what="the last receipt wins",
        ),
    ),
    Promise(
        words="A safety reply passes every gate",
        node="tests/worker/test_replies.py::test_a_safety_reply_passes_every_gate_of_ours",
        sabotage=Sabotage(
            file=_GATES,
            old="if due.kind == SAFETY:",
            new="if False:",
            what="a safety reply is judged like any text",
        ),
    ),
    Promise(
        words="An unsigned webhook is refused and leaves nothing",
        node="tests/web/test_webhooks.py::test_unsigned_call_is_refused_and_leaves_nothing",
        sabotage=Sabotage(
            file="web/webhooks.py",
            old='raise RefusedError("bad_signature")',
            new="pass",
            what="a wrong signature is let through",
        ),
    ),
    Promise(
        words="A text that came back, or ended unsent, told nobody how to stop",
        node="tests/compliance/test_stop_footer.py::"
        "test_care_rule_30_a_text_that_came_back_told_nobody",
        sabotage=Sabotage(
            file=_SENDING,
            old="AND m.status IN ('claimed', 'submitting', 'unknown', 'accepted', 'sent',"
            " 'delivered')",
            new="AND m.attempts >= 0",
            what="a text counts as telling whatever became of it",
        ),
    ),
    Promise(
        words="A clinic that wants each text to say how to stop gets that",
        node="tests/compliance/test_stop_footer.py::"
        "test_care_rule_30_always_says_stop_in_each_started_text",
        sabotage=Sabotage(
            file="worker/rendering.py",
            old="always = subject.clinic.stop_footer is StopFooter.ALWAYS",
            new="always = False",
            what="a clinic's `always` is not looked at",
        ),
    ),
    Promise(
        words="Alarm beside a number is answered as alarm, in the language of the text",
        node="tests/web/test_beside_danger.py::"
        "test_danger_beside_a_number_is_answered_and_the_number_kept",
        sabotage=Sabotage(
            file=_REPLIES,
            old="elif case.alarmed:",
            new="elif False:",
            what="a number is answered whatever stands beside it",
        ),
    ),
    Promise(
        words="A visit that is given up beside a lapse or a symptom rests",
        node="tests/web/test_which_visit.py::"
        "test_visits_given_up_beside_a_lapse_or_a_symptom_are_held",
        sabotage=Sabotage(
            file=_REPLIES,
            old="hold_beside(case)",
            new="pass",
            what="only what a text says first is looked at",
        ),
    ),
    Promise(
        words="One clinic's broken file holds no other clinic's replies up",
        node="tests/worker/test_broken_file.py::test_replies_go_on_beside_it",
        sabotage=Sabotage(
            file=_REPLIES,
            old="if case.clinic.can_be_read:",
            new="if True:",
            what="what can't be handled needs the clinic's hours",
        ),
    ),
)

_APPROVALS = "tests/compliance/test_approval.py"
#: What care rule 28 asks for is held in more places than one.
APPROVALS: tuple[Promise, ...] = (
    Promise(
        words="Safety content waits until each language is approved",
        node=f"{_APPROVALS}::test_care_rule_28_each_language_in_use_is_approved",
        sabotage=Sabotage(
            file="worker/signoff.py",
            old="return None if _standing(session, proposal, wanted).waits else proposal",
            new="return proposal",
            what="one language stands for all",
        ),
    ),
    Promise(
        words="What is applied is what was approved",
        node=f"{_APPROVALS}::test_care_rule_28_another_change_needs_another_approval",
        sabotage=Sabotage(
            file="worker/signoff.py",
            old="if proposal is None or not wanted.is_proposed_by(proposal):",
            new="if proposal is None:",
            what="an approval is good for any change",
        ),
    ),
    Promise(
        words="Safety wording is safety content",
        node=f"{_APPROVALS}::test_care_rule_28_safety_wording_needs_a_second_person",
        sabotage=Sabotage(
            file="worker/clinicfiles.py",
            old="if change.before != change.after and wording.is_safety(catalog, key):",
            new="if False:",
            what="a clinic words its crisis reply without anybody's leave",
        ),
    ),
    Promise(
        words="A clinic's own wording keeps 911 and 988",
        node=f"{_APPROVALS}::test_care_rule_28_no_wording_takes_the_help_lines_away",
        sabotage=Sabotage(
            file="messages/wording.py",
            old="if pattern.search(shipped.text) and not pattern.search(text):",
            new="if False:",
            what="a crisis reply may name no help",
        ),
    ),
    Promise(
        words="Queued texts are rendered in the words in force",
        node=f"{_APPROVALS}::test_care_rule_28_changed_words_reach_queued_texts",
        sabotage=Sabotage(
            file="worker/rendering.py",
            old="catalog = words_of(catalog, subject.clinic)",
            new="pass",
            what="texts go out in the shipped words whatever the clinic says",
        ),
    ),
)

#: A whole month is lived on a broken product, with nothing else to go by than the texts made.
_MONTH = "tests/cli/test_simulate.py::test_a_month_with_faults_breaks_no_promise"
MONTHS: tuple[Promise, ...] = (
    Promise(
        words="Texts go within the send window of the patient's own day",
        node=_MONTH,
        sabotage=Sabotage(
            file="schedules/clinic.py",
            old="return SendWindow(opens=self.send_window.opens, closes=self.send_window.closes)",
            new="return SendWindow(opens=self.send_window.opens.replace("
            "hour=self.send_window.opens.hour - 1), closes=self.send_window.closes)",
            what="the window is off by an hour",
        ),
    ),
    Promise(
        words="Nobody gets more texts a day than the cap allows",
        node=_MONTH,
        sabotage=Sabotage(
            file="worker/facts.py",
            old="caps=Caps(per_day=file.caps.per_day, per_week=file.caps.per_week),",
            new="caps=Caps(per_day=9, per_week=None),",
            what="the planner and the claim forget the cap",
            also=Sabotage(
                file=_GATES,
                old="if on_day >= caps.per_day:",
                new="if False:",
                what="the claim forgets the cap",
            ),
        ),
    ),
    Promise(
        words="Nothing goes to a number after its stop",
        node=_MONTH,
        sabotage=Sabotage(
            file=_HEARING,
            old="if _stops(reading):",
            new="if False:",
            what="a stop is read and ignored",
        ),
    ),
    Promise(
        words="Nothing goes after its deadline",
        node=_MONTH,
        sabotage=Sabotage(
            file=_GATES,
            old="if due.latest_at <= now:",
            new="if False:",
            what="the claim, the intent and the sweep leave deadlines unchecked",
            also=Sabotage(
                file="records/sending.py",
                old="AND (latest_at > :now OR kind = 'safety')",
                new="AND true",
                what="the intent looks at no deadline",
                also=Sabotage(
                    file="records/outcomes.py",
                    old="UPDATE message SET status = 'expired', reason = 'too_late',"
                    " final_at = :now",
                    new="UPDATE message SET final_at = NULL",
                    what="the sweep expires nothing",
                ),
            ),
        ),
    ),
)
