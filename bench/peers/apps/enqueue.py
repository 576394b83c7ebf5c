"""Puts so many jobs onto the peer's queue, and prints the CPU seconds that it took: `python enqueue.py COUNT`."""

import sys
import time

from tasks import enqueue

began = time.process_time()
for _ in range(int(sys.argv[1])):
    enqueue()
print(time.process_time() - began)
