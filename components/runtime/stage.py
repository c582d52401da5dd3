"""Where states of the version before say that a program is: see runtime/former.py."""

import os
import sys

os.execv(sys.executable, [sys.executable, "-m", "runtime.former", *sys.argv[1:]])  # noqa: S606 - no shell wanted
