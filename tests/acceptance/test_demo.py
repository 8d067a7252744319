"""`make demo`, as a newcomer meets it."""

import re
import signal
from pathlib import Path

import psutil
import pytest

from tests.support.processes import Processes, http_status

pytestmark = pytest.mark.timeout(240)

_RUN = (
    "import sys; from pathlib import Path; from cli.demo import run; run(folder=Path(sys.argv[1]))"
)


def test_the_demo_shows_texts_replies_and_follow_ups_within_a_minute(
    processes: Processes, tmp_path: Path
) -> None:
    """Then Ctrl-C ends all of it. A live installation's settings in the shell change nothing."""
    # What another installation's shell may have set must not reach it.
    env = {
        "AFTERCARE_MODE": "live",
        "AFTERCARE_DISPATCH_INTERVAL": "often",
        "DATABASE_URL_FILE": "/nowhere",
    }
    demo = processes.python("-c", _RUN, str(tmp_path / "state"), env=env)
    demo.wait_for_line("Aftercare is running")
    console = demo.wait_for_line(r"Console +(\S+)/ +kim@clinic.test +(\S+)")
    assert http_status(f"{console[1]}/sign-in") == 200
    for shown in (
        r"-> Ana +Riverside Care: your first visit",
        r"ok delivered to .*Ana",
        r"<- Ana +C",
        r"-> Elena +Riverside Care: nos vemos",
        r"! +Ruth +Follow-up: Wants another time",
        r"! +Omar +Follow-up: Answered a high number",
        r"<- Maria +STOP",
        r"-> Isaac +In danger now\?",
        r"! +Isaac +Follow-up: May be in crisis",
    ):
        demo.wait_for_line(shown, 60)
    children = psutil.Process(demo.pid).children(recursive=True)
    assert len(children) >= 6
    demo.send(signal.SIGINT)
    assert demo.wait(40) == 0
    assert demo.output.rstrip().endswith("goes on from here.")
    assert not [child for child in children if child.is_running()]
    assert not re.search(r"Traceback|ended \(", demo.output)
