"""The base classes of models."""

from __future__ import annotations

import os
import sys
import time
from typing import Any, NamedTuple

from . import _native, fields, libgettid

__all__ = ["BaseMmStats", "MmStats"]

# A forked child creates files of its own.
os.register_at_fork(after_in_child=_native._after_fork)


class _Declaration(NamedTuple):
    """A field, as the native part reads it."""

    descriptor: fields.Field[Any, Any]
    label: str
    kind: str
    size: int
    help: str
    unit: str
    scale: int
    divisor: int
    aggregation: str
    kept: bool
    parameter: Any
    dimensions: list[str] | None
    max_series: int


def _declaration(name: str, field: fields.Field[Any, Any]) -> _Declaration:
    if isinstance(field, fields._StaticField) and field.value is None:
        raise ValueError(f"{name}: a constant needs a value")
    return _Declaration(
        field,
        name if field.label is None else field.label,
        field.kind,
        field.size,
        field.help,
        field.unit,
        field.scale,
        field.divisor,
        field.aggregation,
        field.kept,
        field.parameter,
        field.dimensions,
        field.max_series,
    )


class BaseMmStats(_native.Model):
    """The base class of models that publish only the fields that they declare.

    An instance has a file for each thread that uses it, and lives until the process ends. `path`
    and `filename` are templates: `{CMD}` is the base name of the script, `{PID}` and `{TID}` are
    the IDs of the process and the thread, `{MODEL}` is the name of the class; `{{` and `}}` are
    braces. The defaults are those of the environment variables `MMSTATS_PATH` (else `/dev/shm`, or
    the temporary directory) and `MMSTATS_FILES` (else `{CMD}-{PID}-{TID}.mmstats`). If
    `MMSTATS_PATH` is `none`, or no file can be created, the fields count in private memory.

    `label_prefix` is put before every label. `format` is 2, or 1 for tools of the original, whose
    files have neither families nor histograms. `mode` are the permissions of the files, which are
    removed at the exit of the process unless `keep` is true. `quiet` suppresses the warning if
    there is no file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        filename: str | os.PathLike[str] | None = None,
        label_prefix: str | None = None,
        *,
        format: int = 2,
        mode: int | None = None,
        keep: bool = False,
        quiet: bool = False,
    ) -> None:
        self._label_prefix = label_prefix or ""
        declared: dict[str, fields.Field[Any, Any]] = {}
        for cls in type(self).__mro__:
            for name, field in vars(cls).items():
                if isinstance(field, fields.Field):
                    declared.setdefault(name, field)
        self._open(
            type(self).__name__,
            [_declaration(name, field) for name, field in declared.items()],
            path,
            filename,
            self._label_prefix,
            format,
            mode,
            keep,
            quiet,
        )

    @property
    def label_prefix(self) -> str:
        """The prefix of all labels."""
        return self._label_prefix


class MmStats(BaseMmStats):
    """The base class of models. It publishes facts about the process, too.

    >>> class MyStats(MmStats):
    ...     errors = fields.CounterField()
    >>> stats = MyStats()
    >>> stats.errors.incr()
    >>> stats.errors.value
    1
    """

    pid = fields.StaticUIntField(label="sys.pid", value=os.getpid)
    tid = fields.StaticInt64Field(label="sys.tid", value=libgettid.gettid)
    uid = fields.StaticUInt64Field(label="sys.uid", value=os.getuid)
    gid = fields.StaticUInt64Field(label="sys.gid", value=os.getgid)
    python_version = fields.StaticTextField(
        label="org.python.version", value=lambda: sys.version.replace("\n", "")
    )
    created = fields.StaticDoubleField(label="sys.created", value=time.time)
