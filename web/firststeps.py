"""The first-run list: what a new clinic has and has not yet, each with its mend (care rule 31).

It stands below the work list, which is more urgent, until all of it is done.
"""

from dataclasses import dataclass

from messages.phone import display
from records.firststeps import Progress
from schedules import roster
from schedules.clinic import ClinicFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of the list. `mend` says what to do, on which `page` or by which `command`."""

    name: str
    done: bool
    mend: str = ""
    page: str = ""
    command: str = ""


def steps(file: ClinicFile, progress: Progress) -> list[Step]:
    """Return the steps in their order, done or not; nothing once all of them are done."""
    found = [*_of_the_file(file), _ladder(file, progress), _wording(progress), *_texts(progress)]
    return [] if all(step.done for step in found) else found


def _of_the_file(file: ClinicFile) -> list[Step]:
    """What a clinic that is in force has: it could not be applied without."""
    days = sum(map(bool, file.staffed_hours.by_weekday().values()))
    numbers = ", ".join(map(display, file.sender.numbers))
    return [
        Step(name=f"Clinic: {file.name}, {file.timezone.replace('_', ' ')}", done=True),
        Step(name=f"Hours: {days} staffed days a week", done=True),
        Step(name=f"Sender: texts go from {numbers}", done=True),
    ]


def _ladder(file: ClinicFile, progress: Progress) -> Step:
    if not roster.contacts(file):
        return Step(
            name="Ladder: nobody is paged",
            done=False,
            mend="Name who is on call, or a lead, in the clinic's file.",
            command="aftercare clinic apply FILE",
        )
    return Step(
        name="Ladder: a test page was taken",
        done=progress.page_taken,
        mend="Page everybody on it now; each takes the page.",
        command="aftercare page test",
    )


def _wording(progress: Progress) -> Step:
    if not progress.clinician:
        return Step(
            name="Wording: signed by a clinician",
            done=False,
            mend="Nobody can sign it, nor end a crisis: add a clinician.",
            command="aftercare staff add EMAIL --role clinician",
        )
    return Step(
        name="Wording: signed by a clinician",
        done=not progress.unsigned,
        mend="A change of safety content waits for a clinician, by command.",
        command="aftercare clinic approve, or protocols approve",
    )


def _texts(progress: Progress) -> list[Step]:
    return [
        Step(
            name="A text to your own phone, and your answer to it",
            done=progress.answered,
            mend="Take yourself in as a patient, in trial mode, and answer the welcome.",
            page="/patients/new",
        ),
        Step(
            name="First patient",
            done=progress.patient,
            mend="Take one in, or import a file of them.",
            page="/patients/new",
            command="aftercare import patients FILE",
        ),
    ]
