"""What is read for the texts of one transaction at one go."""

from dataclasses import dataclass, field
from uuid import UUID

from records.checkins import CheckIn
from records.conversation import Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was read for all texts of a transaction at once; what is missing is read when asked for.

    `prompts` are those that texts were read as answers to, `check_ins` those of these questions,
    and `earlier` the latest of the same patient and question; `around` are the questions that each
    text could answer, `senders` what clinics text from now.
    """

    prompts: dict[UUID, Prompt] = field(default_factory=dict, repr=False)
    check_ins: dict[UUID, list[CheckIn]] = field(default_factory=dict, repr=False)
    earlier: dict[tuple[UUID, str], list[CheckIn]] = field(default_factory=dict, repr=False)
    around: dict[UUID, list[Prompt]] = field(default_factory=dict, repr=False)
    senders: dict[UUID, UUID] = field(default_factory=dict)
