"""Builds the Cython modules; all metadata is in pyproject.toml.

With PILESTREAM_SANITIZE=1 in the environment: a copy for the fuzzers, with AddressSanitizer, UndefinedBehaviorSanitizer
and libFuzzer's coverage (needs clang); `scripts/fuzz.py` builds it in a folder of its own.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

PACKAGES_WITH_CYTHON = ("core", "ingest")
SANITIZE = os.environ.get("PILESTREAM_SANITIZE") == "1"
SANITIZERS = "-fsanitize=address,undefined,fuzzer-no-link"
FLAGS = ["-O3", "-g0"]

if SANITIZE:
    # An overflow that is no memory fault must stop the run too; a signed shift of a byte is how Cython reads integers.
    FLAGS = ["-O1", "-g1", "-fno-omit-frame-pointer", SANITIZERS, "-fno-sanitize-recover=all"]
    os.environ.setdefault("CC", "clang")
    os.environ.setdefault("LDSHARED", "clang -shared")

extensions = [
    Extension(
        ".".join(path.with_suffix("").parts),
        [str(path)],
        depends=[str(header) for header in sorted(path.parent.glob("*.h"))],
        include_dirs=["."],
        extra_compile_args=FLAGS,
    )
    for package in PACKAGES_WITH_CYTHON
    for path in sorted(Path(package).rglob("*.pyx"))
]

setup(
    ext_modules=cythonize(
        extensions,
        language_level=3,
        annotate=not SANITIZE,
        build_dir="build/sanitized/cython" if SANITIZE else "build/cython",
    )
)
