"""What a patient hears who calls the texting number: a neutral greeting, 911 and 988, the clinic.

Care rule 14. Anybody may answer or overhear a phone, so that nothing says what kind of care it is.
"""

from types import MappingProxyType
from xml.etree import ElementTree as ET

from messages.formats import opening
from records import clinics
from schedules.clinic import ClinicFile
from worker.services import Services

_VOICE = MappingProxyType({"en": "en-US", "es": "es-US"})
_GREETING = MappingProxyType(
    {
        "en": "Hello, this is {name}. In an emergency, hang up and call 9 1 1. "
        "If you are in crisis or thinking about suicide, call or text 9 8 8 at any time.",
        "es": "Hola, le habla {name}. En una emergencia, cuelgue y llame al 9 1 1. "
        "Si está en crisis o piensa en el suicidio, llame o escriba al 9 8 8 a cualquier hora.",
    }
)
_CONNECTING = MappingProxyType(
    {"en": "We are connecting you now.", "es": "Le comunicamos enseguida."}
)
_CLOSED = MappingProxyType(
    {
        "en": "The office is closed now and opens {until}. You can also send us a text.",
        "es": "La oficina está cerrada y abre {until}. También puede enviarnos un mensaje.",
    }
)
_NOBODY = MappingProxyType(
    {
        "en": "Nobody could take your call. Please try again, or send us a text.",
        "es": "Nadie pudo atender su llamada. Intente de nuevo o envíenos un mensaje.",
    }
)
_UNKNOWN_NAME = MappingProxyType({"en": "your care office", "es": "su oficina de atención"})
DIAL_SECONDS = 25


def answer(services: Services, called: str) -> bytes:
    """Return TwiML for a call to this number of ours (E.164)."""
    with services.database.transaction() as session:
        ours = clinics.clinic_of_number(session, called)
        file = clinics.by_id(session, ours.clinic_id).file if ours else None
    response = ET.Element("Response")
    languages = file.languages if file else ("en",)
    for language in languages:
        name = file.sms_name if file else _UNKNOWN_NAME[language]
        _say(response, language, _GREETING[language].format(name=name))
    if file is not None:
        _connect_or_close(response, services, file)
    spoken: bytes = ET.tostring(response, encoding="utf-8", xml_declaration=True)
    return spoken


def _connect_or_close(response: ET.Element, services: Services, file: ClinicFile) -> None:
    now, staffed = services.now, file.attended()
    if not staffed.is_staffed(now):
        # A lunch break ends today: the next staffed instant, not the next day's opening.
        opens = staffed.next_staffed(now)
        for language in file.languages:
            until = opening(opens, file.zone, now, language)
            _say(response, language, _CLOSED[language].format(until=until))
        return
    for language in file.languages:
        _say(response, language, _CONNECTING[language])
    ET.SubElement(response, "Dial", timeout=str(DIAL_SECONDS)).text = file.phone
    # What follows a Dial is heard when the call was not taken, or is over.
    for language in file.languages:
        _say(response, language, _NOBODY[language])


def _say(response: ET.Element, language: str, words: str) -> None:
    ET.SubElement(response, "Say", language=_VOICE[language]).text = words
