# SPDX-License-Identifier: Apache-2.0
"""timed.py FILE COMMAND...: runs the command and writes its wall seconds and peak KiB into FILE.

A process of its own, and a small one: Linux counts what the parent held when it started the command
as the command's own peak, which beside a model in a Python process is gigabytes.
"""

import os
import sys
import time

start = time.monotonic()
child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
with open(sys.argv[1], "w") as file:
    file.write(f"{time.monotonic() - start} {usage.ru_maxrss}")
code = os.waitstatus_to_exitcode(status)
sys.exit(code if code >= 0 else 128 - code)
