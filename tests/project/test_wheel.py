"""The built wheel, in environments that have no checkout: as users have it, and without JAX."""

import json
import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest
from environments import build_wheel, build_wheel_from_sdist, environment_with

import modelspec

pytestmark = [pytest.mark.process, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
SPECS = sorted((ROOT / "specs").glob("*.yaml"))
WHERE = "import modelspec; print(modelspec.__file__, modelspec.__version__)"
LOADED = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


class Installed:
    """An environment with the wheel, and an empty folder to work in."""

    def __init__(self, wheel: Path, folder: Path, *extras: str) -> None:
        self.programs = environment_with(wheel, folder / "environment", *extras)
        self.folder = folder / "work"
        self.folder.mkdir()
        self._cache = folder / "cache"

    def run(self, command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        kept = {"PATH", "HOME", "LANG", "TMPDIR"}
        own = {name: value for name, value in os.environ.items() if name in kept}
        own |= {"PATH": f"{self.programs}:{own['PATH']}", "XDG_CACHE_HOME": str(self._cache)}
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=self.folder,
            env=own,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def says(self, command: str) -> str:
        """Standard output of a command that succeeds, and is silent beside it."""
        ran = self.run(command)
        assert (ran.returncode, ran.stderr) == (0, ""), command
        return ran.stdout


@pytest.fixture(scope="module")
def plain(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """With what the wheel requires, and no more: without JAX."""
    return Installed(wheel, tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def quick(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(wheel, tmp_path_factory.mktemp("quick"), "quick")


def test_the_wheel_holds_what_it_needs_and_no_more(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
        for spec in SPECS:
            assert opened.read(f"modelspec/templates/{spec.name}") == spec.read_bytes()
    assert "modelspec/py.typed" in names
    assert {name.split("/")[0] for name in names} == {
        "modelspec",
        f"keras_modelspec-{modelspec.__version__}.dist-info",
    }
    pages = (ROOT / "modelspec" / "explain" / "pages").rglob("*.md")
    assert {f"modelspec/explain/pages/{page.name}" for page in pages} <= names


def test_the_source_distribution_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    remade = build_wheel_from_sdist(tmp_path)
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(remade) as other:
        assert {name: one.read(name) for name in one.namelist()} == {
            name: other.read(name) for name in other.namelist()
        }


def test_the_environment_has_no_checkout(plain: Installed) -> None:
    path, version = plain.says(f"python -c '{WHERE}'").split()
    assert path.startswith(str(plain.programs.parent))
    assert version == modelspec.__version__
    assert plain.says("modelspec --version") == f"modelspec, version {version}\n"


def test_every_template_is_there(plain: Installed) -> None:
    listed = re.findall(r"Templates: ([\w\s,]+)\.", plain.says("modelspec new --help"))
    assert sorted(listed[0].replace(",", " ").split()) == [spec.stem for spec in SPECS]


@pytest.mark.parametrize(
    "command",
    [
        "modelspec new digits | modelspec check -",
        "modelspec new siamese > a.yaml; modelspec new residual > b.yaml; modelspec check ?.yaml",
    ],
)
def test_templates_are_checked(plain: Installed, command: str) -> None:
    ran = plain.run(command)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "no problems\n")


def test_what_is_printed_says_where_the_data_is(plain: Installed) -> None:
    text = plain.says("modelspec new digits")
    assert "data/digits.npz" in text
    before, _, _ = text.partition("data/digits.npz")
    assert "An installed modelspec" in before
    assert "not the data" in before


@pytest.mark.parametrize(
    ("options", "name"),
    [
        pytest.param("--costs --format json", "siamese", marks=pytest.mark.sweep),
        pytest.param("", "digits", marks=pytest.mark.sweep),
        pytest.param("--costs", "attention", marks=pytest.mark.sweep),
    ],
)
def test_without_jax_as_with_it(
    plain: Installed, quick: Installed, options: str, name: str
) -> None:
    command = f"modelspec new {name} > {name}.yaml; modelspec summary {options} {name}.yaml"
    assert plain.says(command) == quick.says(command) != ""


@pytest.mark.parametrize(
    "verb",
    ["summary --costs", *(pytest.param(v, marks=pytest.mark.sweep) for v in ("check", "summary"))],
)
@pytest.mark.sweep
def test_jax_is_used_where_it_is_installed_alone(
    plain: Installed, quick: Installed, verb: str
) -> None:
    # A spec that no cache has an answer for.
    spec = f"new digits | sed 's/units: 128/units: {101 + len(verb)}/' > spec.yaml"
    program = f'{LOADED} sys.argv[0] = "modelspec"; from modelspec.cli import main; main()'
    command = f"modelspec {spec}; python -c '{program}' {verb} spec.yaml"
    for installed, used, unused in ((plain, "tensorflow", "jax"), (quick, "jax", "tensorflow")):
        ran = installed.run(command)
        assert ran.returncode == 0
        loaded = {name.partition(".")[0] for name in ran.stderr.split()}
        assert used in loaded
        # Where JAX is used, TensorFlow's name says that it is not there.
        assert not any(name.startswith(f"{unused}.") for name in ran.stderr.split())


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        ("jaxlib", "AttributeError"),
        pytest.param("jax", "RuntimeError", marks=pytest.mark.sweep),
        pytest.param("scipy", "ImportError", marks=pytest.mark.sweep),
    ],
)
@pytest.mark.sweep
def test_a_jax_that_does_not_work_is_passed_over(
    quick: Installed, tmp_path: Path, broken: str, error: str
) -> None:
    (tmp_path / f"{broken}.py").write_text(f"raise {error}('of another version')\n", "utf-8")
    units = 200 + len(broken)
    template = f"modelspec new digits | sed 's/units: 128/units: {units}/' > broken.yaml"
    ran = quick.run(
        f"{template}; PYTHONPATH={tmp_path} modelspec summary --format json broken.yaml"
    )
    shown = json.loads(ran.stdout)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert shown["params"]["total"] == 65 * units + (units + 1) * 10


def test_other_commands(plain: Installed) -> None:
    assert "# " in plain.says("modelspec explain unknown-layer")
    assert "Dense" in json.dumps(json.loads(plain.says("modelspec schema")))
    assert plain.says("modelspec layers Dense").startswith("Dense (layer)")


def test_it_trains(plain: Installed) -> None:
    """On data of the user's own, with the API and with the command."""
    make = (
        "import numpy as np; r = np.random.default_rng(0); "
        'np.savez("own.npz", image=r.random((64, 8, 8), np.float32), digit=r.integers(10, size=64))'
    )
    trained = plain.run(
        f"python -c '{make}' && modelspec new digits > own.yaml && "
        "modelspec train own.yaml --data own.npz --epochs 1 --run run --quiet"
    )
    assert (trained.returncode, trained.stdout) == (0, "run\n"), trained.stderr
    scores = json.loads(plain.run("modelspec evaluate run --data own.npz --format json").stdout)
    assert set(scores) == {"loss", "accuracy"}
