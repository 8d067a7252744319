"""`python -m bench.planner START`: a process that plans from START (epoch seconds) to the end.

Several of them share a database's patients, as workers do. Prints one JSON line.
"""

import json
import sys
import time

from messages.templates import shipped
from records.base import Database
from records.keys import open_vault
from worker.clock import SystemClock
from worker.services import Services
from worker.settings import load
from worker.steps import plan


def main() -> int:
    settings = load(_env_file=None)
    database = Database.connect(settings.database_url.get_secret_value(), application="bench")
    with database.transaction() as session:
        vault = open_vault(session, settings.keys)
    services = Services(
        settings=settings,
        database=database,
        vault=vault,
        clock=SystemClock(),
        catalog=shipped(),
    )
    time.sleep(max(0.0, float(sys.argv[1]) - time.time()))
    added, before = 0, time.process_time()
    while (planned := plan.run(services))["patients"]:
        added += planned["added"]
    told = {"added": added, "ended": time.time(), "cpu": time.process_time() - before}
    database.close()
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
