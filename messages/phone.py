"""Phone numbers as E.164, read from what people type; nothing here repeats a number in an error."""

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from messages.errors import BadPhone

_LENGTH = {
    ValidationResult.TOO_SHORT: "it is too short",
    ValidationResult.TOO_LONG: "it is too long",
    ValidationResult.INVALID_COUNTRY_CODE: "its country code does not exist",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "the area code is missing",
}
# Twilio's test numbers sit in an area code that numbering plans do not hand out to phones.
_TEST_NUMBERS = "+1500555"


def parse(text: str, *, region: str = "US") -> str:
    """Return a number as E.164 ("+12125550100"), read as dialled in `region` (ISO 3166).

    Raises BadPhone with the reason, which never repeats the number.
    """
    if not text.strip():
        raise BadPhone("it is empty")
    if any(letter.isalpha() for letter in text):
        raise BadPhone("it has letters in it; write the number without an extension")
    number = _read(text, region)
    reason = _LENGTH.get(phonenumbers.is_possible_number_with_reason(number))
    if reason:
        raise BadPhone(reason)
    written = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if not phonenumbers.is_valid_number(number) and not written.startswith(_TEST_NUMBERS):
        raise BadPhone("no such number is in use; check each digit")
    return written


def _read(text: str, region: str) -> phonenumbers.PhoneNumber:
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException as error:
        raise BadPhone("it does not read as a phone number") from error
    if number.extension:
        raise BadPhone("it has an extension, which can't be texted")
    return number


def last_four(number: str) -> str:
    """Return the last four digits, the only part that staff lists may show."""
    return number[-4:]


def masked(number: str) -> str:
    """Return a number fit for screens and logs: "...0100"."""
    return f"...{last_four(number)}"


def display(number: str) -> str:
    """Return a number as texts print it: "212-555-0100", with country code outside +1."""
    parsed = phonenumbers.parse(number, None)
    if parsed.country_code != 1:
        return str(phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL))
    digits = phonenumbers.national_significant_number(parsed)
    return f"{digits[:3]}-{digits[3:6]}-{digits[6:]}"
