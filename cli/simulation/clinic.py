"""The simulated clinic: its file, and the same rules once more as the truth that texts are held to.

The audit never asks the product what is allowed: it reads the figures here.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import phonenumbers

KEY = "riverside"
ZONE = ZoneInfo("America/New_York")
NUMBER = "+12125550110"
#: A Monday. Clocks go forward in its third week and back in November.
START = datetime(2027, 2, 22, 5, 0, tzinfo=UTC)

OPENS, CLOSES = time(9), time(20)
PER_DAY = 2
#: Of whoever did not agree to check-ins.
PER_WEEK = 3

FILE = """
id: riverside
name: Riverside Ketamine & Recovery Center
sms_name: Riverside Care
phone: "+12125550100"
timezone: America/New_York
languages: [en, es]
send_window: {from: "09:00", to: "20:00"}
staffed_hours: {mon: ["08:00-17:00"], tue: ["08:00-17:00"], wed: ["08:00-17:00"],
  thu: ["08:00-17:00"], fri: ["08:00-17:00"], sat: ["09:00-13:00"]}
holidays: {country: US, subdivision: NY}
sender: {from: "+12125550110", segments_per_second: 1000}
caps: {per_day: 2, per_week: 3}
on_call: [{name: Sam, phone: "+12125550190", email: sam@clinic.test, hours: always}]
lead: {name: Kim, phone: "+12125550191", email: kim@clinic.test}
after_hours: on_call
optout_handled_by: app
unknown: {policy: verify_then_retry, grace_seconds: 180, recheck_seconds: 60}
protocols: [assessment-visit, dosing-visit, after-dose, integration, integration-unbooked,
  daily-check-in, relapse-prevention, no-show, no-show-dosing]
wording:
  daily_0_10:
    en: "{sms_name}: checking in with you. From 0 (none) to 10 (strongest), what's your number?
      Want to talk? Call {phone}"
  visit_booked:
    es: "{sms_name}: le esperamos {when}. Responda C para confirmar o R para cambiar. {phone}"
"""
#: What of it a patient reads, by template and language.
OWN_WORDS = {
    ("daily_0_10", "en"): "checking in with you",
    ("visit_booked", "es"): "le esperamos",
}


def phones() -> Iterator[str]:
    """Give made-up numbers: 555-01xx in one area code after the other, but the clinic's own."""
    for area in range(201, 990):
        number = f"+1{area}5550100"
        if area == 212 or not phonenumbers.is_valid_number(phonenumbers.parse(number)):
            continue
        yield from (f"+1{area}55501{last:02}" for last in range(100))
