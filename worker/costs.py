"""What texts will cost, for previews and forecasts: segments times a price."""

from dataclasses import dataclass
from decimal import Decimal

from schedules.clinic import ClinicFile

#: An assumption, in US dollars: a US text's list price with the carriers' fees, rounded up. What a
#: clinic really pays stands on its account's bill, and under `segment_price` of its file.
ASSUMED = Decimal("0.012")
CURRENCY = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one segment costs in US dollars; `assumed` where nobody said it."""

    amount: Decimal
    assumed: bool

    def of(self, segments: int) -> Decimal:
        """Return what so many segments cost, to a tenth of a cent."""
        return (self.amount * segments).quantize(Decimal("0.001"))

    def __str__(self) -> str:
        """Say the price as people read it."""
        said = f"{self.amount.normalize():f} {CURRENCY} a segment"
        return f"{said}, an assumption" if self.assumed else said


def price_of(file: ClinicFile, given: float | None = None) -> Price:
    """Return the price that was given, else the clinic's, else the assumed one."""
    said = file.segment_price if given is None else given
    return Price(amount=ASSUMED if said is None else Decimal(str(said)), assumed=said is None)
