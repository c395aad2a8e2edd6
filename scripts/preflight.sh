#!/bin/sh
# Says in one line what is missing to build pilestream, and which package has it.
set -u
python="${1:-python3}"
missing=0
lacks() {
    echo "missing: $1. On Debian: apt-get install $2" >&2
    missing=1
}
if ! command -v "$python" >/dev/null 2>&1; then
    lacks "python3 (3.11 or newer)" python3
else
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || lacks "Python 3.11 or newer ($("$python" --version) is too old)" python3
    "$python" -c 'import ensurepip, venv' 2>/dev/null || lacks "Python's venv module" python3-venv
    "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' ||
        lacks "Python's C headers" python3-dev
fi
command -v gcc >/dev/null 2>&1 || lacks "a C compiler" gcc
exit $missing
