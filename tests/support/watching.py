"""A watch over a whole tree of files, while commands run in one process.

The state of every file before and after shows what changed. Events show what was tried, even where
nothing changed: Python's audit hooks tell what Python opens and starts, and strace, where it is
installed, what the libraries in C do.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHILD = """
import json, os, sys
commands = json.loads(sys.stdin.read())
events, watched, answered = [], False, [0]
WRITING = {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate",
           "os.chmod", "os.chown", "os.utime", "shutil.rmtree", "shutil.move", "shutil.copyfile"}
RUNNING = {"os.system", "os.exec", "os.posix_spawn", "os.fork", "os.spawn", "subprocess.Popen",
           "socket.connect", "socket.bind", "pickle.find_class", "ctypes.dlopen", "marshal.loads"}
IN_FOLDER = {"os.remove", "os.rename", "os.rmdir"}
FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
def paths(event, arguments):
    texts = [os.fsdecode(a) for a in arguments if isinstance(a, (str, bytes))]
    folders = [a for a in arguments[len(texts):] if isinstance(a, int) and a >= 0]
    # Some calls are about a name in an open folder. Of open, Python tells only the name.
    if event == "open" and sys._getframe(2).f_code.co_filename.endswith("shutil.py"):
        return []
    place = f"/proc/self/fd/{folders[-1]}" if folders and event in IN_FOLDER else "."
    places = [os.path.join(place, text) for text in texts]
    return [os.path.realpath(os.path.dirname(p)) + "/" + os.path.basename(p) for p in places]
def hook(event, arguments):
    if not watched:
        return
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        writes = isinstance(arguments[2], int) and arguments[2] & FLAGS
        events.append(["writes" if writes else "reads", event, paths(event, arguments[:1])])
    elif event in WRITING:
        events.append(["writes", event, paths(event, arguments)])
    elif event in RUNNING:
        caller = sys._getframe(1).f_code.co_filename
        if event != "marshal.loads" or "importlib" not in caller:
            events.append(["runs", event, [str(arguments)[:100]]])
sys.addaudithook(hook)
from modelspec import cli
import modelspec.backend.start
modelspec.backend.start.start()
import modelspec.api.train, modelspec.backend.training.session, matplotlib.pyplot
results = {}
for index, (name, argv) in enumerate(commands.items()):
    sys.argv, events, watched = ["modelspec", *argv], [], True
    for stream in (sys.stdout, sys.stderr):
        print(f"== {name}", file=stream, flush=True)
    os.access(f"/==/{index}", os.F_OK)
    code = cli._run()
    os.access("/==/", os.F_OK)
    watched = False
    results[name] = [code, events]
from_tree = [getattr(m, "__file__", None) or "" for m in list(sys.modules.values())]
tree = os.environ["HOME"].rsplit("/", 1)[0]
# TensorFlow writes the code that it traces to temporary files.
from_tree = [f for f in from_tree if f.startswith(tree) and not f.startswith(f"{tree}/tmp/__auto")]
sys.__stdout__.write("== RESULTS\\n" + json.dumps([results, from_tree]))
"""

_TRACED = (
    "open,openat,openat2,creat,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,rmdir,link,"
    "linkat,symlink,symlinkat,truncate,chmod,fchmodat,chown,lchown,fchownat,utimensat,utime,mknod,"
    "mknodat,execve,execveat,fork,vfork,clone,clone3,connect,bind,setxattr,access,faccessat,"
    "faccessat2"
)
_CALL = re.compile(r"^(?:\d+\s+)?(?:<\.\.\. )?(\w+)(?:\(| resumed>)(.*)$")
_MARK = re.compile(r'"/==/(\d*)"')
_PATH = re.compile(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a command did: it read or wrote a path, or ran something."""

    kind: str
    call: str
    paths: Sequence[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """A command's exit code, its output and what it did."""

    code: int
    stdout: str
    stderr: str
    events: Sequence[Event]


def tree_with_decoys(tree: Path) -> None:
    """Make a home, a current folder, a folder for temporary files and others, with files in them.

    The names are those that libraries look for: settings, modules, start-up files.
    """
    evil = "open({!r}, 'w').close()\n"
    for name in ("home", "here", "data", "tmp", "decoys", "home/.keras", "home/.config/matplotlib"):
        (tree / name).mkdir(parents=True)
    for name in ("home/.bashrc", "home/.netrc", "data/table.csv", "decoys/precious", "here/notes"):
        (tree / name).write_text(f"{name} is precious", encoding="utf-8")
    (tree / "home" / ".keras" / "keras.json").write_text('{"floatx": "float16"}', encoding="utf-8")
    for name in (
        "sitecustomize.py",
        "usercustomize.py",
        "keras.py",
        "numpy.py",
        "dense.py",
        "y.py",
    ):
        (tree / "here" / name).write_text(evil.format(str(tree / "ran")), encoding="utf-8")
    (tree / "decoys" / "empty").mkdir()
    (tree / "decoys" / "link").symlink_to(tree / "decoys" / "precious")


def states(tree: Path) -> dict[str, tuple[Any, ...]]:
    """Return mode, owner, links, size, time of change and SHA-256 of everything in a tree."""
    of_tree: dict[str, tuple[Any, ...]] = {}
    for place, folders, files in os.walk(tree):
        for path in (Path(place, name) for name in [*folders, *files]):
            state = path.lstat()
            content = ""
            if path.is_symlink():
                content = os.readlink(path)  # noqa: PTH115 - the text as it is
            elif path.is_file():
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            stats = (state.st_mode, state.st_uid, state.st_nlink, state.st_size, state.st_mtime_ns)
            of_tree[str(path)] = (*stats, content)
    return of_tree


def run_watched(
    commands: Mapping[str, Sequence[str]], tree: Path, plugins: Collection[Path] = ()
) -> dict[str, Answer]:
    """Run each command in one process, in the folder ``here`` of a tree.

    Raises:
        AssertionError: Code in the tree was imported that is none of the ``plugins``.
    """
    trace = tree.parent / f"{tree.name}.trace"
    program = [sys.executable, "-c", CHILD]
    if strace := shutil.which("strace"):
        options = ["-f", "-qq", "-y", "-s", "4096", "--seccomp-bpf", "-e", f"trace={_TRACED}"]
        program = [strace, *options, "-o", str(trace), *program]
    done = _finished(
        program,
        input=json.dumps(commands),
        cwd=tree / "here",
        capture_output=True,
        text=True,
        # Modules that nothing has imported yet would be compiled, beside their source. Safe path:
        # a program in the user's folder does not find modules there, as the command does not.
        env={
            **os.environ,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONSAFEPATH": "1",
            "TMPDIR": str(tree / "tmp"),
            "HOME": str(tree / "home"),
            "MPLBACKEND": "agg",
        },
        timeout=120 + 10 * len(commands),
    )
    head, _, tail = done.stdout.partition("== RESULTS\n")
    assert tail, done.stderr[-3000:]
    results, imported = json.loads(tail)
    assert {*imported} <= {*map(str, plugins)}, imported
    outputs = [_by_command(text) for text in (head, done.stderr)]
    traced = _traced(trace, list(commands)) if strace else {}
    return {
        name: Answer(
            code,
            outputs[0].get(name, ""),
            outputs[1].get(name, ""),
            [*(Event(*event) for event in events), *traced.get(name, [])],
        )
        for name, (code, events) in results.items()
    }


def _finished(program: Sequence[str], **options: Any) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(program, check=False, **options)
    except subprocess.TimeoutExpired as error:
        said = (error.stderr or b"").decode(errors="replace")
        raise AssertionError(f"a command hangs: {said[-500:]}") from error


def _by_command(text: str) -> dict[str, str]:
    parts = [part.partition("\n") for part in re.split(r"^== ", text, flags=re.MULTILINE)[1:]]
    return {name: said for name, _, said in parts}


def _traced(trace: Path, names: Sequence[str]) -> dict[str, list[Event]]:
    """Return the system calls of each command, in the output of strace."""
    calls: dict[str, list[Event]] = {name: [] for name in names}
    current: str | None = None
    for line in trace.read_text(encoding="utf-8", errors="replace").splitlines():
        if mark := _MARK.search(line):
            current = names[int(mark[1])] if mark[1] else None
        elif current is not None and (call := _CALL.match(line)):
            calls[current] += _events(call[1], call[2])
    return calls


def _events(call: str, text: str) -> Iterator[Event]:
    starts = call.startswith("clone") and "CLONE_THREAD" not in text
    if starts or call in ("execve", "execveat", "fork", "vfork", "connect", "bind"):
        yield Event("runs", call, [text[:100]])
    elif call.startswith("open") or call == "creat":
        writes = call == "creat" or re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC|APPEND)", text)
        yield Event("writes" if writes else "reads", call, _paths(text)[:1])
    elif "access" not in call and not call.startswith("clone"):
        yield Event("writes", call, _paths(text))


def _paths(text: str) -> list[str]:
    """Return the absolute paths among the arguments of a system call."""
    paths = []
    for folder, name in _PATH.findall(text):
        path = Path(folder or "/", name)
        paths.append(str(path.parent.resolve() / path.name))
    return paths


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the paths in a tree that were changed, made or deleted."""
    gone = [f"deleted: {path}" for path in before if path not in after]
    changed = [f"changed: {p}" for p in before if p in after and before[p] != after[p]]
    return [*gone, *changed, *(f"made: {path}" for path in after if path not in before)]


def trespasses(answer: Answer, tree: Path, own: Path, readable: Sequence[Path]) -> list[str]:
    """Return what a command did outside of its own folder, the cache and temporary files.

    Anything of the tree that is neither its own nor ``readable`` must not even be read.
    """
    cache = os.environ["XDG_CACHE_HOME"]
    ours = (str(own), str(tree / "tmp"), cache, os.devnull, "/dev/pts", "/dev/tty", "/proc/self")
    allowed = (*ours, *map(str, readable))
    wrong = []
    for event in answer.events:
        for path in event.paths:
            in_tree = path.startswith(str(tree))
            if (
                event.kind == "runs"
                or (event.kind == "writes" and not path.startswith(ours))
                or (event.kind == "reads" and in_tree and not path.startswith(allowed))
            ):
                wrong.append(f"{event.kind} ({event.call}): {path}")
    return list(dict.fromkeys(wrong))
