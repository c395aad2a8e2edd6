"""Builds the Cython modules; all metadata is in pyproject.toml."""

from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

PACKAGES_WITH_CYTHON = ("core", "ingest")

extensions = [
    Extension(
        ".".join(path.with_suffix("").parts),
        [str(path)],
        extra_compile_args=["-O3", "-g0"],
    )
    for package in PACKAGES_WITH_CYTHON
    for path in sorted(Path(package).rglob("*.pyx"))
]

setup(
    ext_modules=cythonize(
        extensions,
        language_level=3,
        annotate=True,
        build_dir="build/cython",
    )
)
