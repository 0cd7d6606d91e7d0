"""No module imports itself by way of others, and no room of training another that needs it."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.harness import ROOT

Graph = dict[str, set[str]]


def imports(root: Path, package: str) -> Graph:
    """By module of `package`, the others that it imports anywhere: inside functions and for type checkers too."""
    paths = {name_of(path.relative_to(root)): path for path in (root / package).rglob("*.py")}
    graph: Graph = {}
    for name, path in paths.items():
        nodes = list(ast.walk(ast.parse(path.read_text())))
        asked = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        for node in nodes:
            if isinstance(node, ast.ImportFrom):
                assert node.module, f"{path} has a relative import"
                for alias in node.names:
                    within = f"{node.module}.{alias.name}"
                    asked.add(within if within in paths else node.module)
        graph[name] = asked & paths.keys()
    return graph


def name_of(path: Path) -> str:
    return ".".join(part for part in path.with_suffix("").parts if part != "__init__")


def rooms(graph: Graph) -> Graph:
    """The same between the folders and modules right below the package."""
    merged: Graph = {}
    for name, others in graph.items():
        here = room_of(name)
        merged.setdefault(here, set()).update(room for other in others if (room := room_of(other)) != here)
    return merged


def room_of(name: str) -> str:
    return ".".join(name.split(".")[:2])


def circle(graph: Graph) -> list[str]:
    """One of the graph's circles, or nothing where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


@pytest.mark.parametrize("package", ["service", "training"])
def test_no_module_imports_itself_by_way_of_others(package: str) -> None:
    assert circle(imports(ROOT, package)) == []


def test_the_rooms_of_training_stand_in_one_order() -> None:
    assert circle(rooms(imports(ROOT, "training"))) == []


def test_circles_are_found(tmp_path: Path) -> None:
    """One inside of functions, and one that is only there between the rooms."""
    for name, text in {
        "house/__init__.py": "",
        "house/a/__init__.py": "",
        "house/a/one.py": "def late():\n    from house.b import two\n",
        "house/b/__init__.py": "",
        "house/b/two.py": "import house.a.one\n",
        "house/b/three.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert set(circle(imports(tmp_path, "house"))) == {"house.a.one", "house.b.two"}
    (tmp_path / "house/a/one.py").write_text("from house.b.three import x\n")
    assert circle(imports(tmp_path, "house")) == []
    (tmp_path / "house/a/four.py").write_text("")
    (tmp_path / "house/b/two.py").write_text("from house.a import four\n")
    assert circle(imports(tmp_path, "house")) == []
    assert set(circle(rooms(imports(tmp_path, "house")))) == {"house.a", "house.b"}
