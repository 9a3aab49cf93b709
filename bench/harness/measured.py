"""Runs a program and writes what it took: python measured.py RESULT PROGRAM ARGUMENTS…"""

import json
import resource
import subprocess
import sys
import time

began = time.monotonic()
code = subprocess.run(sys.argv[2:]).returncode
seconds = time.monotonic() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "w") as result:
    json.dump(
        {
            "seconds": seconds,
            "cpu_s": used.ru_utime + used.ru_stime,
            # Of the largest of its processes; kibibytes on Linux.
            "peak_bytes": used.ru_maxrss * 1024,
            "rows": 0,
        },
        result,
    )
sys.exit(code)
