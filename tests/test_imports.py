"""The data runs one way, so imports do too: no package imports one that stands further down the way."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("core", "ingest", "analytics", "backoffice", "dashboard", "benchmarks", "service")
MAY_IMPORT = {
    "core": {"core"},
    "ingest": {"ingest", "core"},
    "analytics": {"analytics", "core"},
    "backoffice": {"backoffice", "analytics", "core"},
    "dashboard": {"dashboard", "analytics", "backoffice", "core"},
    "benchmarks": {"benchmarks", "analytics", "ingest", "core"},
    "service": set(PACKAGES),
}


def imported_packages(path: Path) -> set[str]:
    """Names of the project's packages that a module imports, `cimport` included."""
    text = path.read_text("utf-8")
    if path.suffix == ".py":
        nodes = list(ast.walk(ast.parse(text)))
        names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
        names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0]
    else:
        words = [line.split() for line in text.splitlines() if line.startswith(("from ", "import ", "cimport "))]
        names = [line[1] for line in words if len(line) > 1]
    return {name.split(".")[0] for name in names} & set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_follow_the_way_of_the_data(package: str) -> None:
    sources = [path for suffix in ("*.py", "*.pyx", "*.pxd") for path in (ROOT / package).rglob(suffix)]
    assert sources
    against_the_way = {
        str(path.relative_to(ROOT)): sorted(imported_packages(path) - MAY_IMPORT[package])
        for path in sources
        if imported_packages(path) - MAY_IMPORT[package]
    }
    assert against_the_way == {}
