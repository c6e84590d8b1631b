"""Check what was built: `python tests/check_wheel.py dist`.

The wheel must hold every module of the checkout under its import name, and nothing else; installed
into an environment of its own, outside the checkout, it must import, compute and answer commands.
The source archive must hold all that the wheel is built from. Dependencies come from the
environment that runs this script; the editable install in it is out of reach.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import tomllib
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 300
KINDS = {".py", ".html", ".css"}

PROGRAM = """
import importlib, importlib.metadata, importlib.util, pathlib, pkgutil, sys
import mpyc_core as mpc

home = pathlib.Path(mpc.__file__).parent
if not home.is_relative_to(sys.prefix):
    sys.exit(f"mpyc_core comes from {home}, not from the wheel in {sys.prefix}")
if mpc.__version__ != importlib.metadata.version("mpyc-core"):
    sys.exit("the version of the package and that of its metadata differ")
found = {m.name for m in pkgutil.walk_packages([str(home)], "mpyc_core.")}
for name in sorted(found - {"mpyc_core.__main__"}):
    importlib.import_module(name)
missing = set(sys.argv[1:]) - found - {"mpyc_core"}
if missing:
    sys.exit(f"not in the wheel: {', '.join(sorted(missing))}")
for name in ("protocols", "transport", "ml", "privacy", "grid", "examples"):
    if importlib.util.find_spec(name):
        sys.exit(f"the wheel installs a top-level module {name!r}")
if not (home / "py.typed").is_file():
    sys.exit("py.typed is missing: type checkers would not see the annotations")
with mpc.simulate(3) as s:
    x, y = s.share([1.5, -2.0, 3.0]), s.share([2.0, 0.5, -1.0])
    product = (x * y).reveal().tolist()
if product != [3.0, -1.0, -3.0]:
    sys.exit(f"1.5 * 2, -2 * 0.5, 3 * -1 gave {product}")
print(f"{len(found)} modules imported, one product computed")
"""


class Wrong(Exception):
    """What is built is not what it should be."""


def only(folder: Path, pattern: str) -> Path:
    """The one file of a kind."""
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise Wrong(f"expected one {pattern} in {folder}, found {[p.name for p in found]}")
    return found[0]


def project() -> dict:
    """The table of pyproject.toml."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


def sources() -> dict[str, str]:
    """{path in the wheel: path in the checkout} of every module, template and style sheet."""
    mapping = project()["tool"]["setuptools"]["package-dir"]
    found = {"mpyc_core/py.typed": "mpyc_core/py.typed"}
    for package, folder in mapping.items():
        for path in sorted((ROOT / folder).rglob("*.*")):
            if path.suffix in KINDS and not any(parent.is_symlink() for parent in path.parents):
                inside = path.relative_to(ROOT / folder)
                found[f"{package.replace('.', '/')}/{inside}"] = str(path.relative_to(ROOT))
    return found


def check_wheel(wheel: Path) -> None:
    """Its files are those of the checkout; it carries licence and commands."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        info = {n.split("/", 1)[1]: n for n in names if n.split("/")[0].endswith(".dist-info")}
        code = names - set(info.values())
        wanted = set(sources())
        if code != wanted:
            raise Wrong(
                f"{wheel.name} lacks {sorted(wanted - code)} and has too much: "
                f"{sorted(code - wanted)}; look at packages in pyproject.toml, and remove build/"
            )
        for name, path in sources().items():
            if archive.read(name) != (ROOT / path).read_bytes():
                raise Wrong(f"{name} in {wheel.name} is not {path}; remove build/ and build again")
        if not any(n.endswith("LICENSE") for n in info):
            raise Wrong(f"{wheel.name} has no LICENSE")
        commands = archive.read(info["entry_points.txt"]).decode()
        metadata = Parser().parsestr(archive.read(info["METADATA"]).decode())
    for command in project()["project"]["scripts"]:
        if f"{command} =" not in commands:
            raise Wrong(f"{wheel.name} installs no command {command}")
    if not metadata.get_payload().strip():
        raise Wrong(f"{wheel.name} has no description; is README.md empty?")


def check_sdist(sdist: Path) -> None:
    """It holds the sources once, as files: no links, nothing outside its folder."""
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
        top = sdist.name.removesuffix(".tar.gz")
        inside = {m.name.removeprefix(top + "/"): m for m in members}
        strange = [
            m.name
            for m in members
            if m.issym() or m.islnk() or not (m.name == top or m.name.startswith(top + "/"))
        ]
        if strange:
            raise Wrong(f"{sdist.name} has links, or files outside {top}/: {strange}")
        wanted = {"LICENSE", "README.md", "pyproject.toml", *sources().values()}
        if wanted - set(inside):
            raise Wrong(f"{sdist.name} lacks {sorted(wanted - set(inside))}")


def make_environment(folder: Path, wheel: Path) -> Path:
    """A fresh environment with the wheel, and this one's dependencies; gives its interpreter."""
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet"]
    run([*pip, "install", "--no-deps", "--no-index", str(wheel)], folder)
    # Further folders of modules; .pth files in them, such as the editable install's, are not read.
    others = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
    variables = {"base": str(folder), "platbase": str(folder)}
    site = Path(sysconfig.get_path("purelib", "venv", variables))
    (site / "dependencies.pth").write_text("\n".join(sorted(others)) + "\n")
    return python


def run(command: list[str], folder: Path) -> str:
    """Run a command in a folder; its output, or `Wrong` with what it said."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip()
        raise Wrong(f"{' '.join(command[:4])} ... ended with {done.returncode}: {said[-2000:]}")
    return done.stdout


def check_installed(wheel: Path) -> str:
    """Install the wheel elsewhere and use it there."""
    with tempfile.TemporaryDirectory(prefix="wheel-") as name:
        folder = Path(name)
        python = make_environment(folder / "env", wheel)
        (folder / "empty").mkdir()
        packages = project()["tool"]["setuptools"]["packages"]
        said = run([str(python), "-c", PROGRAM, *packages], folder / "empty")
        for command in ([str(python), "-m", "mpyc_core"], [str(python.parent / "mpc")]):
            if "replicated" not in run([*command, "info"], folder / "empty"):
                raise Wrong(f"{Path(command[-1]).name} info does not list the protocols")
        return said.strip()


def main(arguments: list[str]) -> int:
    """Check the folder named on the command line."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("expected one argument: the folder with the wheel and the source archive")
        return 2
    folder = Path(arguments[0]).resolve()
    try:
        wheel, sdist = only(folder, "*.whl"), only(folder, "*.tar.gz")
        check_wheel(wheel)
        check_sdist(sdist)
        said = check_installed(wheel)
    except Wrong as wrong:
        print(f"check_wheel: {wrong}", file=sys.stderr)
        return 1
    print(f"{wheel.name} and {sdist.name} are complete; installed elsewhere: {said}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
