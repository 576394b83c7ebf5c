"""The sandbox: the whole code of the function that runs scripts. Standard library only: the template holds it as it is.

Lambda uses an environment again, so a run finds nothing of the one before and leaves nothing. A script has no network,
no way to this process (its memory, its variables, the events that it gets), and no place to write but its own folder;
whatever it starts is a descendant of this process, and ended with it. Where that cannot be had, nothing is run.
"""

import base64
import ctypes
import os
import platform
import resource
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

PATH = "/var/lang/bin:/usr/local/bin:/usr/bin:/bin"
PROGRAMS = {"shell": ("sh",), "python": ("python3", "-I", "-B"), "node": ("node",)}
READABLE = ("/bin", "/sbin", "/lib", "/lib64", "/usr", "/etc", "/proc", "/var/lang")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
GRACE_SECONDS, SWEEP_SECONDS = 1.0, 5.0
MOST_OUTPUT = 50_000_000
"""Bytes. A script that writes more is ended; of each stream only `output_bytes` are kept."""
IN_LAMBDA = os.environ.get("LAMBDA_TASK_ROOT") == "/var/task"
"""There this process and its children are all that there is of its user, and /tmp is all that can be written to."""
libc = ctypes.CDLL(None, use_errno=True)

_REFUSED = """
socket 41 198
ptrace 101 117, process_vm_readv 310 270, process_vm_writev 311 271, process_madvise 440 440, kcmp 312 272
pidfd_open 434 434, pidfd_getfd 438 438, pidfd_send_signal 424 424
tkill 200 130, rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240
perf_event_open 298 241, bpf 321 280, userfaultfd 323 282
shmget 29 194, semget 64 190, msgget 68 186, mq_open 240 180, add_key 248 217, request_key 249 218, keyctl 250 219
io_uring_setup 425 425, io_uring_enter 426 426, io_uring_register 427 427
unshare 272 97, setns 308 268, mount 165 40, umount2 166 39, chroot 161 51, pivot_root 155 41, open_tree 428 428
move_mount 429 429, fsopen 430 430, fsmount 432 432, mount_setattr 442 442, open_by_handle_at 304 265
sched_setscheduler 144 119, sched_setparam 142 118, sched_setattr 314 274, sched_setaffinity 203 122
setpriority 141 140, ioprio_set 251 30
"""
"""System calls with their numbers on x86_64 and aarch64: the network, and with it Lambda's own interface; other
processes; what outlives a process; other ways to the same; other views of the files; how this process is scheduled.
"""
CLONE, CLONE3, KILL, TGKILL, PRLIMIT = (56, 220), (435, 435), (62, 129), (234, 131), (302, 261)
NAMESPACES = 0x7E020000
ALLOWED, REFUSED, UNKNOWN, FATAL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000


class Unfit(Exception):
    """A script cannot be kept apart here. The message says why."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Run one script. `event` is what ports/sandbox.py says, the answer too."""
    keep_apart()
    leave_nothing()
    seconds = min(event["seconds"], context.get_remaining_time_in_millis() / 1000 - 2 * GRACE_SECONDS)
    try:
        with folder(user := _user()) as place:
            return run(event, place, user, seconds)
    except Unfit as error:
        return {"refused": str(error)}
    finally:
        leave_nothing()


def keep_apart() -> None:
    """This process's memory and variables are for nobody; who loses his parent becomes its child."""
    libc.prctl(4, 0, 0, 0, 0)
    libc.prctl(36, 1, 0, 0, 0)


def leave_nothing() -> None:
    """End all that was started, and empty the place. A process that cannot do that ends, not to be used again."""
    clean = end_all()
    if IN_LAMBDA:
        for name in os.listdir("/tmp"):
            _remove(f"/tmp/{name}")
        clean = clean and not os.listdir("/tmp")
    if not clean:
        os._exit(1)


def end_all() -> bool:
    """Stop every descendant, then kill it, until there is none: what is stopped starts nobody."""
    until = time.monotonic() + SWEEP_SECONDS
    while found := _others():
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for each in found:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(each, number)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def run(event: dict[str, Any], place: str, user: int | None, seconds: float) -> dict[str, Any]:
    """The script's end and output. Unfit if it could not be begun as it must be."""
    begun, until = time.monotonic(), time.monotonic() + seconds
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = _started(event, place, user)
    output, ended = _listened(process, int(event["output_bytes"]), until)
    code = process.wait()
    end_all()
    for stream in output:
        stream.drain()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "ended": ended or ("signal" if code < 0 else "exit"),
        "code": abs(code),
        "seconds": round(time.monotonic() - begun, 3),
        "cpu_seconds": round(after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime, 3),
        **{stream.name: base64.b64encode(stream.kept).decode() for stream in output},
        **{f"{stream.name}_bytes": stream.size for stream in output},
    }


class Stream:
    """What comes out of a pipe: the beginning is kept, the rest counted."""

    def __init__(self, name: str, pipe: Any, keep: int) -> None:
        self.name, self.pipe, self.keep = name, pipe, keep
        self.kept, self.size, self.is_open = b"", 0, True
        os.set_blocking(pipe.fileno(), False)

    def read(self) -> None:
        """What is there now."""
        with suppress(BlockingIOError):
            chunk = os.read(self.pipe.fileno(), 65536)
            self.is_open = bool(chunk)
            self.size += len(chunk)
            self.kept += chunk[: self.keep - len(self.kept)]

    def drain(self) -> None:
        """What is left, when nobody writes any more."""
        before = -1
        while self.is_open and before != self.size:
            before = self.size
            self.read()


def _listened(process: Any, keep: int, until: float) -> tuple[list[Stream], str | None]:
    """Listen until the script ends or has to; it has a second to end itself. Why it had to, None if it did not."""
    streams = [Stream("stdout", process.stdout, keep), Stream("stderr", process.stderr, keep)]
    reason = None
    while process.poll() is None:
        if sum(stream.size for stream in streams) > MOST_OUTPUT:
            reason = "output"
        if reason == "output" or time.monotonic() > until + GRACE_SECONDS:
            process.kill()
            return streams, reason
        if time.monotonic() > until and reason is None:
            reason = "time"
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        ready = select.select([stream.pipe for stream in streams if stream.is_open], [], [], 0.02)[0]
        for stream in streams:
            if stream.pipe in ready:
                stream.read()
    return streams, reason


def _started(event: dict[str, Any], place: str, user: int | None) -> Any:
    name, *options = PROGRAMS[event["program"]]
    program = shutil.which(name, path=PATH)
    if program is None:
        raise Unfit(f"There is no {name} in the sandbox.")
    script = _written(place, "script", event["script"], user)
    source = _written(place, "stdin", event["stdin"], user)
    fences = _fences(place)
    wanted = {"PATH": PATH, "HOME": place, "TMPDIR": place, "LANG": "C.UTF-8", **event["environment"]}
    try:
        confine = _confined(event, user, fences)
        with open(source, "rb") as stdin:
            os.unlink(source)
            return subprocess.Popen(
                [program, *options, script, *event["arguments"]],
                cwd=place,
                env=wanted,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                preexec_fn=confine,  # noqa: PLW1509 - this process has no threads
            )
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        raise Unfit(f"A script cannot be kept apart here: {type(error).__name__}.") from error
    finally:
        if fences is not None:
            os.close(fences)


def _confined(event: dict[str, Any], user: int | None, fences: int | None) -> Callable[[], None]:
    """What the child does to itself before it becomes the script. All that can be prepared is prepared here."""
    megabytes = int(event["memory_mb"]) << 20
    memory = resource.RLIMIT_DATA if event["program"] == "node" else resource.RLIMIT_AS
    limits = [(memory, megabytes), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, 256)]
    limits += [
        (resource.RLIMIT_NPROC, int(event["processes"])),
        (resource.RLIMIT_FSIZE, int(event["file_bytes"])),
    ]
    code = ctypes.create_string_buffer(_filter(os.getpid(), os.getpgid(0)))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code.raw) // 8, ctypes.addressof(code)))

    def confine() -> None:
        for each, most in limits:
            resource.setrlimit(each, (most, most))
        if user is not None:
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
        _done(libc.prctl(1, signal.SIGKILL, 0, 0, 0))
        _done(libc.prctl(38, 1, 0, 0, 0))
        if fences is not None:
            _done(libc.syscall(446, fences, 0))
        _done(libc.prctl(22, 2, program, 0, 0))
        code.raw  # noqa: B018 - it lives as long as the program that points to it

    return confine


def _fences(place: str) -> int | None:
    """A Landlock ruleset: programs may be read, the folder is the script's, all else is closed. None on old kernels."""
    version = libc.syscall(444, None, 0, 1)
    if version < 1:
        return None
    files = 0x1FFF | (0x2000 if version > 1 else 0) | (0x4000 if version > 2 else 0)
    rules = struct.pack("QQQ", files, 0x3, 0x3)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset: int = libc.syscall(444, rules, len(rules), 0)
    for paths, allowed in ((READABLE, 0xD), (DEVICES, 0x6), ((place,), files)):
        for path in paths:
            with suppress(FileNotFoundError):
                opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
                _done(libc.syscall(445, ruleset, 1, struct.pack("=Qi", allowed, opened), 0))
                os.close(opened)
    return ruleset


def _filter(supervisor: int, group: int) -> bytes:
    """A seccomp program: what is in _REFUSED is, and signals to this process, namespaces, others' limits."""
    machines = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
    if platform.machine() not in machines:
        raise Unfit(f"Scripts cannot be kept apart on {platform.machine()}.")
    column, architecture = machines[platform.machine()]
    load, equal, above, has, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    number, first = (load, 0, 0, 0), (load, 0, 0, 16)
    lines = [(load, 0, 0, 4), (equal, 1, 0, architecture), (answer, 0, 0, FATAL), number]
    lines += [(above, 0, 1, 0x40000000), (answer, 0, 0, REFUSED)]
    for call in _REFUSED.replace("\n", ",").split(","):
        if call.strip():
            lines += [(equal, 0, 1, int(call.split()[1 + column])), (answer, 0, 0, REFUSED)]
    lines += [
        (equal, 0, 1, CLONE3[column]),
        (answer, 0, 0, UNKNOWN),
    ]  # its flags cannot be seen; clone is used instead
    lines += [
        (equal, 0, 4, CLONE[column]),
        first,
        (has, 0, 1, NAMESPACES),
        (answer, 0, 0, REFUSED),
        (answer, 0, 0, ALLOWED),
    ]
    lines += [
        (equal, 0, 4, PRLIMIT[column]),
        first,
        (equal, 1, 0, 0),
        (answer, 0, 0, REFUSED),
        (answer, 0, 0, ALLOWED),
    ]
    for killing in (KILL[column], TGKILL[column]):
        protected = [each & 0xFFFFFFFF for each in (supervisor, -group, 1, -1)]
        checks = [line for each in protected for line in ((equal, 0, 1, each), (answer, 0, 0, REFUSED))]
        lines += [(equal, 0, len(checks) + 2, killing), first, *checks, (answer, 0, 0, ALLOWED)]
    return b"".join(struct.pack("HBBI", *line) for line in [*lines, (answer, 0, 0, ALLOWED)])


@contextmanager
def folder(user: int | None) -> Iterator[str]:
    """A folder of the script's own, which goes with all that is in it."""
    made = tempfile.mkdtemp(prefix="script-", dir="/tmp")
    try:
        if user is not None:
            os.chown(made, user, user)
        yield made
    finally:
        end_all()
        _remove(made)


def _remove(path: str) -> None:
    """However deep it is, and whatever its owner has forbidden."""
    for command in (["chmod", "-R", "u+rwx", path], ["rm", "-rf", path]):
        subprocess.run(command, env={"PATH": PATH}, stderr=subprocess.DEVNULL, check=False)


def _written(place: str, name: str, text: str, user: int | None) -> str:
    path = f"{place}/{name}"
    with open(path, "w", encoding="utf-8", errors="surrogatepass") as file:
        file.write(text)
    if user is not None:
        os.chown(path, user, user)
    return path


def _user() -> int | None:
    """A user that nobody else is, where this process may choose; in Lambda it may not."""
    return 200_000 + int.from_bytes(os.urandom(3), "big") if os.geteuid() == 0 else None


def _others() -> list[int]:
    """All descendants; in Lambda also whoever else is of this user, but not this process's own parents."""
    parents: dict[int, int] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError), open(f"/proc/{name}/stat", "rb") as stat:
            parents[int(name)] = int(stat.read().rpartition(b")")[2].split()[1])
    found, grown = {os.getpid()}, True
    while grown:
        more = {each for each, parent in parents.items() if parent in found} - found
        found, grown = found | more, bool(more)
    if IN_LAMBDA:
        found |= {each for each in parents if _is_ours(each)} - _ancestors(parents)
    return sorted(found - {os.getpid()})


def _ancestors(parents: dict[int, int]) -> set[int]:
    found, each = set(), os.getpid()
    while each in parents and each not in found:
        found.add(each)
        each = parents[each]
    return found


def _is_ours(process: int) -> bool:
    with suppress(OSError):
        return os.stat(f"/proc/{process}").st_uid == os.getuid()
    return False


def _done(answer: int) -> None:
    if answer < 0:
        raise OSError(ctypes.get_errno(), "refused")
