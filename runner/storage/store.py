"""The run store: where a run's files live while and after it runs, a folder or a bucket.

Names inside it are relative, with `/`. On a local folder every write is atomic (a temporary name,
then a rename); a bucket's put is atomic by itself.
"""

from __future__ import annotations

import errno
import functools
import inspect
import logging
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runner.errors import OutsideError, Refused, RunnerError
from runner.parallel import in_background
from runner.storage.files import TEMPORARY, create, staged

EXCLUSIVE = frozenset({"memory", "s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"})
"""fsspec protocols whose put with `mode="create"` is decided by the server (If-None-Match, or the
same by another name), not by asking first whether the object exists; see `RunStore.create`."""

_LOG = logging.getLogger(__name__)
ANSWER_SECONDS = 120.0
"""For a bucket to answer what takes a few requests, all tries of its driver included; sending and
fetching whole files takes as long as it takes."""

_ALONE: dict[str, dict[str, Any]] = {name: {"max_concurrency": 1} for name in ("s3", "s3a")}
"""What lets a driver ask for a file alone, and not for its size before, to read it in parts."""

Names = list[str]


def is_url(location: str) -> bool:
    """Return whether `location` names a bucket or server, and not a folder of this machine."""
    return "://" in location and not location.startswith(("file://", "local://"))


def resolve_location(location: str, root: Path) -> str:
    """Return the store that registry.yaml names: a URL as it is, a folder as an absolute path.

    A relative folder is below the registry's `root`. What `file:///` names is the same path on
    other machines, where this one's links may lead elsewhere: it stays as it is.
    """
    if is_url(location):
        return location.rstrip("/")
    if location.startswith("file:///"):
        return os.path.normpath(location.removeprefix("file://"))
    folder = location.removeprefix("file://").removeprefix("local://")
    return str((root / Path(folder).expanduser()).resolve())


def open_store(location: str, root: Path) -> RunStore:
    """Return the store that registry.yaml names; `location` as for `resolve_location`."""
    return RunStore(resolve_location(location, root))


class RunStore:
    """A folder or bucket of files by name."""

    def __init__(self, url: str) -> None:
        """Use the store at `url`: an fsspec URL or an absolute path; nothing is opened yet.

        Raises Refused for a relative path, whose meaning would depend on where one stands.
        """
        local = not is_url(url)
        self._folder = Path(resolve_location(url, Path("/"))) if local else None
        if local and not url.startswith(("/", "file://", "local://", "~")):
            raise Refused(f"run store {url!r} is a relative path", cure="open_store resolves it")
        self._url = str(self._folder) if local else url.rstrip("/")
        self._system: Any = None
        self._proven = False

    def __repr__(self) -> str:
        return f"RunStore({self._url!r})"

    def url(self, name: str = "") -> str:
        """Return where `name` is: an absolute path, or a URL."""
        return f"{self._url}/{_checked(name)}" if name else self._url

    def at(self, folder: str) -> RunStore:
        """Return the store of what lies below `folder`."""
        return RunStore(self.url(folder))

    def put(self, name: str, content: bytes) -> None:
        """Write a file, replacing what was there; readers see the old or the new one, whole."""
        with self._outside("put", name):
            if self._folder is None:
                self._ask("pipe_file", self.url(name), content)
                return
            path = self._new_path(name)
            with staged(path) as temporary:
                temporary.write_bytes(content)
                temporary.replace(path)

    def create(self, name: str, content: bytes) -> bool:
        """Write a file if there is none, and return whether it was us; of many, one gets True.

        Raises Refused when this kind of store cannot promise that.
        """
        with self._outside("create", name):
            if self._folder is None:
                return self._create_remote(name, content)
            try:
                create(self._new_path(name), content)
            except FileExistsError:
                return False
            return True

    def _create_remote(self, name: str, content: bytes) -> bool:
        if not self._proven:
            self._prove_exclusive()
        return self._create_object(name, content)

    def _create_object(self, name: str, content: bytes) -> bool:
        try:
            self._ask("pipe_file", self.url(name), content, mode="create")
        except FileExistsError:
            return False
        except OSError as error:
            # What s3fs makes of "precondition failed" where the server does not say which.
            if error.errno == errno.EINVAL and self._ask("exists", self.url(name)):
                return False
            raise
        return True

    def _prove_exclusive(self) -> None:
        """Refuse a store that overwrites what it was told to create.

        Some drivers only ask first whether the object exists, and some servers that speak S3 ignore
        the condition without a word; there, two trainings of one run could not be told apart.
        """
        known = self._url.partition("://")[0] in EXCLUSIVE
        probe = f"{TEMPORARY}{uuid.uuid4().hex}"
        if known:
            known = self._create_object(probe, b"1") and not self._create_object(probe, b"2")
            self._remove(probe)
        if not known:
            cure = f"use a folder, or a store of these kinds: {', '.join(sorted(EXCLUSIVE))}"
            raise Refused(f"run store {self._url} cannot create an object exclusively", cure=cure)
        self._proven = True

    def get(self, name: str) -> bytes | None:
        """Return the bytes of a file, None when there is none."""
        with self._outside("get", name):
            try:
                if self._folder is None:
                    alone = _ALONE.get(self._url.partition("://")[0], {})
                    content: bytes = self._ask("cat_file", self.url(name), **alone)
                    return content
                return Path(self.url(name)).read_bytes()
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                return None

    def exists(self, name: str) -> bool:
        """Return whether there is a file or folder of this name."""
        with self._outside("exists", name):
            if self._folder is None:
                return bool(self._ask("exists", self.url(name)))
            return Path(self.url(name)).exists()

    def modified(self, name: str) -> datetime | None:
        """Return when a file was written last, by the clock of the store.

        None when there is none, or the store does not say.
        """
        with self._outside("modified", name):
            try:
                if self._folder is None:
                    at: datetime = self._ask("modified", self.url(name))
                    return at.astimezone(UTC)
                seconds = Path(self.url(name)).stat().st_mtime
                return datetime.fromtimestamp(seconds, UTC)
            except (FileNotFoundError, NotImplementedError):
                return None

    def now(self) -> datetime:
        """Return what time it is by the clock of the store; ours where it does not say."""
        probe = f"{TEMPORARY}{uuid.uuid4().hex}"
        self.put(probe, b"")
        try:
            return self.modified(probe) or datetime.now(UTC)
        finally:
            self.delete(probe)

    def list(self, prefix: str = "") -> Names:
        """Return the sorted names of all files below the folder `prefix`, or that one file."""
        with self._outside("list", prefix):
            if self._folder is None:
                return self._list_remote(prefix)
            start = Path(self.url(prefix))
            found = [start] if start.is_file() else _files_below(start)
            names = [str(path.relative_to(self._folder)) for path in found if path.is_file()]
        return sorted(name for name in names if TEMPORARY not in name)

    def _list_remote(self, prefix: str) -> Names:
        system = self._remote()
        base = system._strip_protocol(self._url).rstrip("/")
        found = self._ask("find", self.url(prefix))
        return sorted(str(path)[len(base) + 1 :] for path in found)

    def upload(self, source: Path, name: str) -> None:
        """Copy a local file, or a folder with all its files, to `name`."""
        with self._outside("upload", name):
            if source.is_dir():
                for file in sorted(path for path in source.rglob("*") if path.is_file()):
                    self._upload_file(file, f"{name}/{file.relative_to(source).as_posix()}")
            else:
                self._upload_file(source, name)

    def _upload_file(self, source: Path, name: str) -> None:
        if self._folder is None:
            self._remote().put_file(str(source), self.url(name))
            return
        path = self._new_path(name)
        with staged(path) as temporary:
            shutil.copyfile(source, temporary)
            temporary.replace(path)

    def download(self, name: str, folder: Path) -> tuple[Path, ...]:
        """Copy the file `name`, or all files below it, into the local `folder`; return them.

        A file keeps its own name, files below a folder their path inside it.
        """
        names = self.list(name)
        with self._outside("download", name):
            return tuple(self._download_file(found, name, folder) for found in names)

    def _download_file(self, found: str, name: str, folder: Path) -> Path:
        inside = found.rpartition("/")[2] if found == name else _below(found, name)
        path = folder / _checked(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        with staged(path) as temporary:
            if self._folder is None:
                self._remote().get_file(self.url(found), str(temporary))
            else:
                shutil.copyfile(self.url(found), temporary)
            temporary.replace(path)
        return path

    def delete(self, prefix: str) -> None:
        """Delete the file `prefix` or everything below it; nothing there is fine."""
        if not prefix.strip("/"):
            raise Refused("the whole run store is not deleted at once")
        with self._outside("delete", prefix):
            if self._folder is None:
                for name in self._list_remote(prefix):
                    self._remove(name)
                return
            path = Path(self.url(prefix))
            while path.is_dir() and not path.is_symlink():
                with suppress(FileNotFoundError):  # another deletes there too
                    shutil.rmtree(path)
            path.unlink(missing_ok=True)

    def _new_path(self, name: str) -> Path:
        path = Path(self.url(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _remote(self) -> Any:
        if self._system is None:
            import fsspec

            self._system = fsspec.core.url_to_fs(self._url)[0]
        # Drivers remember listings; others write here too.
        self._system.invalidate_cache()
        return self._system

    def _remove(self, name: str) -> None:
        self._ask("rm_file", self.url(name))

    def _ask(self, verb: str, *given: Any, **more: Any) -> Any:
        """Return what the bucket's driver answers to `verb`, within ANSWER_SECONDS.

        A request that takes longer is given up, and not only waited for no longer: carried out
        late, it would undo what came after it.
        """
        system = self._remote()
        request = getattr(system, f"_{verb}", None)
        try:
            if inspect.iscoroutinefunction(request):
                from fsspec.asyn import sync

                return sync(system.loop, request, *given, timeout=ANSWER_SECONDS, **more)
            ask = functools.partial(getattr(system, verb), *given, **more)
            return in_background(ask).result(ANSWER_SECONDS)
        except TimeoutError as error:
            raise TimeoutError(f"no answer for {ANSWER_SECONDS:.0f} s") from error

    @contextmanager
    def _outside(self, verb: str, name: str) -> Iterator[None]:
        """Turn what a disk, a network or a missing driver says into an error with the URL.

        The drivers of buckets raise errors of their own making, so all of theirs count.
        """
        foreign = OSError if self._folder else Exception
        _LOG.debug("run store: %s %s", verb, self.url(name))
        try:
            yield
        except RunnerError:
            raise
        except foreign as error:
            where = self.url(name)
            words = str(error) or type(error).__name__
            cure = "check that it can be reached and written with this machine's credentials"
            raise OutsideError(f"run store {where}: {words}", cure=cure) from error


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield the files below `folder`, which others may add to and delete from meanwhile."""

    def unreadable(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    for parent, _, names in os.walk(folder, onerror=unreadable):
        yield from (Path(parent, name) for name in names)


def _below(name: str, folder: str) -> str:
    return name.removeprefix(f"{folder.strip('/')}/") if folder.strip("/") else name


def _checked(name: str) -> str:
    plain = name.strip("/")
    if name.startswith("/") or any(part in ("", ".", "..") for part in plain.split("/")):
        raise Refused(f"{name!r} is no name in the run store")
    return plain
