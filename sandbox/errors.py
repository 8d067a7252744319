"""Twilio's error codes that the sandbox answers with, and the envelope they come in."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One definite no: HTTP status, Twilio's code and the sentence that goes with it."""

    http: int
    code: int
    message: str

    def envelope(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.http,
        }


class SandboxError(Exception):
    """Root of what the sandbox raises."""


class ApiError(SandboxError):
    """The REST request ends with this refusal."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.code}: {refusal.message}")
        self.refusal = refusal


# code -> (HTTP status, message). `{value}` is what the caller wrote.
_TABLE: Mapping[int, tuple[int, str]] = MappingProxyType(
    {
        20001: (400, "Invalid parameter: {value}"),
        20003: (401, "Authenticate"),
        20004: (405, "Method not allowed"),
        20005: (403, "Account {value} is not active"),
        20009: (409, "Resource not complete: the message is still being delivered"),
        20404: (404, "The requested resource {value} was not found"),
        20429: (429, "Too Many Requests"),
        20500: (500, "An internal server error has occurred"),
        20503: (503, "Service is unavailable. Please try again"),
        21201: (400, "No 'To' number is specified"),
        21205: (400, "Url parameter is required."),
        21211: (400, "The 'To' number {value} is not a valid phone number."),
        21212: (400, "The 'From' number {value} is not a valid phone number or shortcode."),
        21213: (400, "Caller phone number is required"),
        21220: (400, "Call is not in-progress. Cannot redirect."),
        21266: (400, "'To' and 'From' number cannot be the same: {value}"),
        21408: (400, "Permission to send an SMS has not been enabled for the region of {value}."),
        21602: (400, "Message body is required."),
        21603: (400, "A 'From' phone number is required."),
        21604: (400, "A 'To' phone number is required."),
        21606: (400, "The From phone number {value} is not a valid, SMS-capable inbound number."),
        21609: (400, "The StatusCallback URL {value} is not a valid URL."),
        21610: (400, "Attempt to send to unsubscribed recipient"),
        21611: (400, "This From number {value} has exceeded the maximum number of queued messages"),
        21612: (400, "The 'To' phone number {value} is not currently reachable via SMS."),
        21614: (400, "'To' number {value} is not a valid mobile number"),
        21617: (400, "The concatenated message body exceeds the 1600 character limit."),
        21703: (400, "The Messaging Service {value} does not contain any phone numbers."),
        21705: (400, "The Messaging Service Sid {value} is invalid."),
        30113: (400, "Specified date is too old"),
        30114: (400, "Specified date is not available yet"),
        30115: (400, "Date format is incorrect: {value}"),
        30409: (409, "The message is not in a state in which it can be canceled."),
        35114: (400, "Scheduling does not support this timestamp: {value}"),
    }
)


def refusal(code: int, *, value: str = "", http: int | None = None) -> Refusal:
    """The refusal of a known code; an unknown one gets HTTP 400 unless told otherwise."""
    status, message = _TABLE.get(code, (400, "Refused"))
    return Refusal(http=http or status, code=code, message=message.format(value=value))
