"""Scripts that try to get out, to stay, or to take more than is theirs: real processes, in the function's own code."""

import os
import platform
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sandbox import DEFAULTS, Sandbox

ALONE = [True, False] if os.geteuid() == 0 else [False]


@pytest.fixture(params=ALONE, ids=lambda alone: "a user for each" if alone else "one user, as in Lambda")
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    made = Sandbox(alone=request.param)
    yield made
    made.close()


def _processes_with(mark: str) -> list[str]:
    listing = subprocess.run(["ps", "-ewwo", "args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if line == mark]


REFUSED = [
    ("cat /proc/$PPID/environ", "shell", "the function's variables, with its credentials"),
    ("cat /proc/$PPID/maps", "shell", "where the function's memory is"),
    ("dd if=/proc/$PPID/mem bs=1 count=1 skip=4096", "shell", "the function's memory"),
    ("ls -l /proc/$PPID/fd/", "shell", "what the function has open"),
    ("kill -9 $PPID", "shell", "the function itself"),
    ("import os; os.kill(-1, 15)", "python", "everybody at once"),
    ("import socket; socket.create_connection(('127.0.0.1', 9001))", "python", "Lambda's runtime interface"),
    ("import socket; socket.socket(socket.AF_UNIX)", "python", "a server on this machine"),
    ("import socket; socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)", "python", "the Internet"),
    ("exec 3<>/dev/tcp/127.0.0.1/9001", "shell", "the same from a shell"),
    ("import ctypes; assert ctypes.CDLL(None).unshare(0x10000000) == 0", "python", "a user namespace"),
    (
        "import ctypes; assert ctypes.CDLL(None).ptrace(16, __import__('os').getppid(), 0, 0) == 0",
        "python",
        "tracing",
    ),
    (
        "import ctypes; assert ctypes.CDLL(None).shmget(7, 4096, 0o1600) >= 0",
        "python",
        "memory that outlives it",
    ),
    (
        "import ctypes; assert ctypes.CDLL(None).syscall(425, 8, bytes(120)) >= 0",
        "python",
        "io_uring, to get a socket",
    ),
    ("import os; os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)", "python", "slowing the function down"),
    (
        "import resource, os; resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))",
        "python",
        "its limits",
    ),
    ("import resource as r; r.setrlimit(r.RLIMIT_NPROC, (500, 500))", "python", "more processes"),
    ("import os; os.setuid(0)", "python", "being the superuser"),
]
FENCED = [
    ("echo x > /tmp/outside", "shell", "writing outside its folder"),
    ("echo x > /var/tmp/outside", "shell", "writing elsewhere"),
    ("echo x > /dev/shm/outside", "shell", "writing to shared memory"),
    ("ls /tmp", "shell", "looking for what others have"),
    ("cat /etc/shadow", "shell", "the machine's secrets"),
    ("ls /root", "shell", "somebody's home"),
    ("mknod device c 1 1", "shell", "a device"),
]


@pytest.mark.parametrize(
    ("script", "program", "what"), REFUSED + FENCED, ids=[what for *_, what in REFUSED + FENCED]
)
def test_a_script_does_not_get_at(script: str, program: str, what: str, sandbox: Sandbox) -> None:
    _is_refused(sandbox, script, program, what)


@pytest.fixture(scope="module")
def older() -> Iterator[Sandbox]:
    """On a kernel without Landlock, and of the script's own user."""
    made = Sandbox(alone=False, fences=False)
    yield made
    made.close()


@pytest.mark.parametrize(("script", "program", "what"), REFUSED, ids=[what for *_, what in REFUSED])
def test_nor_does_it_on_an_older_kernel(script: str, program: str, what: str, older: Sandbox) -> None:
    _is_refused(older, script, program, what)


def _is_refused(sandbox: Sandbox, script: str, program: str, what: str) -> None:
    ended = sandbox.run(script, program)
    assert ended.how[0] == "exit", (what, ended.answer)
    assert ended.how[1] != 0, (what, ended.stdout)
    assert sandbox.run("echo well").stdout == "well\n", "and the function goes on"


def test_its_environment_is_what_it_was_given_and_no_more(sandbox: Sandbox) -> None:
    found = sandbox.run("env", environment={"COLOUR": "blue"}).stdout
    names = {line.partition("=")[0] for line in found.splitlines()}
    assert names <= {"PATH", "HOME", "TMPDIR", "LANG", "COLOUR", "PWD", "SHLVL", "_", "OLDPWD"}
    assert "COLOUR=blue" in found


DAEMON = """
import os
print("begun", flush=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "4711"])
    os._exit(0)
"""
BACKGROUND = [
    ("sleep 4711 & echo begun", "shell", "in the background"),
    ("setsid sleep 4711 >/dev/null 2>&1 & echo begun", "shell", "in a session of its own"),
    ("(setsid sh -c 'sleep 4711 & sleep 4711' &) ; echo begun", "shell", "without its parents"),
    (DAEMON, "python", "as a daemon"),
    ("trap '' TERM HUP INT; sleep 4711 & echo begun", "shell", "deaf to signals"),
]


@pytest.mark.parametrize(("script", "program", "what"), BACKGROUND, ids=[what for *_, what in BACKGROUND])
def test_nothing_stays_that_was_left_running(script: str, program: str, what: str, sandbox: Sandbox) -> None:
    begun = time.monotonic()
    ended = sandbox.run(script, program)
    assert ended.stdout == "begun\n", what
    assert time.monotonic() - begun < 5, "its end is not waited for"
    assert _processes_with("sleep 4711") == []


@pytest.mark.parametrize(
    ("script", "program"),
    [
        (":(){ :|:& };:", "shell"),
        ("import os\nwhile True:\n try: os.fork()\n except OSError: pass", "python"),
    ],
)
def test_a_fork_bomb_is_bounded_and_ends_with_its_time(script: str, program: str, sandbox: Sandbox) -> None:
    begun = time.monotonic()
    sandbox.run(script, program, seconds=1, processes=40)
    assert time.monotonic() - begun < 8
    assert sandbox.run("echo well").stdout == "well\n"


def test_a_script_that_ignores_the_end_of_its_time_is_killed_a_second_later(sandbox: Sandbox) -> None:
    begun = time.monotonic()
    ended = sandbox.run("trap '' TERM; while true; do sleep 0.1; done", seconds=0.5)
    assert ended.how == ("time", 9)
    assert time.monotonic() - begun < 4


def test_a_script_may_put_things_right_when_its_time_is_up(sandbox: Sandbox) -> None:
    ended = sandbox.run("trap 'echo bye; exit 7' TERM; while true; do sleep 0.1; done", seconds=0.5)
    assert (ended.how, ended.stdout) == (("time", 7), "bye\n")


def test_of_a_huge_output_the_beginning_is_kept_and_the_rest_counted(sandbox: Sandbox) -> None:
    ended = sandbox.run("head -c 3000000 /dev/zero | tr '\\0' x; echo no >&2", output_bytes=1000)
    assert (ended.stdout, ended.answer["stdout_bytes"], ended.stderr) == ("x" * 1000, 3_000_000, "no\n")


def test_endless_output_ends_the_script(sandbox: Sandbox) -> None:
    ended = sandbox.run("yes", output_bytes=1000)
    assert ended.how[0] == "output"
    assert len(ended.stdout) == 1000


def test_memory_and_files_are_bounded(sandbox: Sandbox) -> None:
    ended = sandbox.run("x = bytearray(500_000_000)", "python", memory_mb=128)
    assert (ended.how[0], "MemoryError" in ended.stderr) == ("exit", True)
    ended = sandbox.run("head -c 2000000 /dev/zero > big", file_bytes=1_000_000)
    assert ended.how != ("exit", 0)


DIRTY = [
    "echo secret > left; mkdir -p a/b; echo secret > a/b/c; chmod 000 a left",
    "ln -s / root; ln -s /etc/passwd p; mkfifo f",
    "i=0; while [ $i -lt 400 ]; do mkdir d; cd d; i=$((i+1)); done; touch deep",
]


@pytest.mark.parametrize("script", DIRTY)
def test_the_next_run_finds_none_of_the_files_of_the_one_before(script: str, sandbox: Sandbox) -> None:
    first = sandbox.run(f"pwd; {script}")
    place = first.stdout.splitlines()[0]
    assert first.how == ("exit", 0), first.stderr
    assert not os.path.lexists(place)
    second = sandbox.run("pwd; ls -A")
    assert second.stdout.splitlines()[0] != place
    assert second.stdout.splitlines()[1:] == ["script"]
    assert Path("/etc/passwd").exists(), "links are not followed"


def test_a_run_does_not_read_the_files_of_another_that_is_under_way() -> None:
    one, other = Sandbox(alone=ALONE[0]), Sandbox(alone=ALONE[0])
    try:
        places: list[str] = []
        waiting = threading.Thread(
            target=lambda: places.append(one.run("pwd; echo s > secret; sleep 2").stdout.strip())
        )
        waiting.start()
        found = other.run("sleep 0.7; cat /tmp/script-*/secret /tmp/script-*/script; ls /tmp")
        waiting.join()
        assert places
        assert found.stdout == ""
        assert found.how[1] != 0
    finally:
        one.close()
        other.close()


@pytest.mark.parametrize("program", ["shell", "python", "node"])
def test_programs_have_arguments_input_and_an_exit_code(program: str, sandbox: Sandbox) -> None:
    scripts = {
        "shell": 'read line; echo "$1 $line"; echo told >&2; exit 3',
        "python": "import sys; print(sys.argv[1], input()); print('told', file=sys.stderr); sys.exit(3)",
        "node": "const d = require('fs').readFileSync(0, 'utf8').trim(); console.log(process.argv[2] + ' ' + d);"
        "console.error('told'); process.exit(3)",
    }
    given = {"arguments": ["one two"], "stdin": "three\n", "memory_mb": 1024}
    ended = sandbox.run(scripts[program], program, **given)
    if "refused" in ended.answer:
        pytest.skip(ended.answer["refused"])
    assert (ended.how, ended.stdout, ended.stderr) == (("exit", 3), "one two three\n", "told\n")


def test_threads_and_processes_of_its_own_work(sandbox: Sandbox) -> None:
    script = (
        "import multiprocessing, concurrent.futures as c, subprocess, asyncio\n"
        "p = multiprocessing.Process(target=print, args=('child',)); p.start(); p.join()\n"
        "print(list(c.ThreadPoolExecutor(3).map(abs, [-1, 2])), flush=True)\n"
        "print(subprocess.run(['echo', 'sub'], capture_output=True).stdout)\n"
    )
    ended = sandbox.run(script, "python", memory_mb=1024)
    assert ended.stdout.splitlines() == ["child", "[1, 2]", "b'sub\\n'"], ended.stderr


def test_a_program_that_is_not_there_is_refused(older: Sandbox) -> None:
    answer = older.answer({**DEFAULTS, "program": "node"})
    assert "ended" in answer or answer == {"refused": "There is no node in the sandbox."}


IN_LAMBDA = """
mount -t tmpfs tmpfs /tmp && chmod 1777 /tmp || exit 1
echo left > /tmp/of-another && chown 65534 /tmp/of-another
setpriv --reuid 65534 --regid 65534 --clear-groups sleep 4712 &
sleep 0.2
exec setpriv --reuid 65534 --regid 65534 --clear-groups env LAMBDA_TASK_ROOT=/var/task "$@"
"""


def test_an_environment_of_lambda_is_swept_also_of_what_a_runtime_before_left_behind() -> None:
    """In namespaces of its own, so that there is nobody else of its user, as there is not in Lambda."""
    within = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", IN_LAMBDA, "sh"]
    if subprocess.run(
        [*within[:5], "mount", "-t", "tmpfs", "t", "/tmp"], capture_output=True, check=False
    ).returncode:
        pytest.skip("namespaces need a superuser")
    sandbox = Sandbox(alone=False, fences=False, within=within)
    try:
        assert sandbox.run("ls -A /tmp | grep -v script-").stdout == ""
        assert _processes_with("sleep 4712") == []
        assert sandbox.run("echo x > /tmp/outside; ls -A /tmp | grep -c .").stdout == "2\n"
        assert sandbox.run("ls -A /tmp | grep -v script-").stdout == "", "each run begins with nothing there"
    finally:
        sandbox.close()


WALLS = [
    (
        {"platform.machine() not in machines": "True"},
        f"Scripts cannot be kept apart on {platform.machine()}.",
        "a processor whose calls are not known",
    ),
    (
        {"libc.prctl(22, 2,": "libc.prctl(22, 7,"},
        "A script cannot be kept apart here: SubprocessError.",
        "no filter of calls",
    ),
    (
        {"libc.syscall(446, fences,": "libc.syscall(446, -1,"},
        "A script cannot be kept apart here: SubprocessError.",
        "no fences, though the kernel has them",
    ),
]


@pytest.mark.parametrize(("otherwise", "refusal", "why"), WALLS, ids=[why for *_, why in WALLS])
def test_without_a_wall_nothing_is_run(
    otherwise: dict[str, str], refusal: str, why: str, tmp_path: Path
) -> None:
    sandbox = Sandbox(alone=ALONE[0], otherwise=otherwise)
    try:
        assert sandbox.answer({**DEFAULTS, "script": f"touch {tmp_path}/done"}) == {"refused": refusal}, why
    finally:
        sandbox.close()


def test_a_process_that_cannot_clean_up_ends_and_answers_nothing() -> None:
    sandbox = Sandbox(alone=ALONE[0], otherwise={"return True": "return False"})
    try:
        with pytest.raises(AssertionError, match="has ended"):
            sandbox.run("true")
        assert sandbox.process.wait(10) == 1
    finally:
        sandbox.close()
