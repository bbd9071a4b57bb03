"""What is compiled once per worker: each test has an engine and an application of its own, and compiling took longer than the test."""

from types import CodeType
from typing import Any, ClassVar
from unittest import mock

import sqlalchemy as sa
from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Rule

from ris.program import Program
from ris.web.app import create_app

_caches: dict[type[sa.Dialect], Any] = {}


def share_compiled(engine: sa.Engine) -> None:
    """Lets an engine find what was compiled for another of its kind: it looks that up by dialect, and all of ours are set up alike."""
    kind = type(engine.dialect)
    if kind not in _caches:
        _caches[kind] = engine._compiled_cache
        kind.__eq__ = lambda _, other: type(other) is kind  # type: ignore[method-assign, assignment]
        kind.__hash__ = lambda _: hash(kind)  # type: ignore[method-assign, assignment]
    engine._compiled_cache = _caches[kind]


def quick_app(program: Program) -> Flask:
    """An application as a web process makes it, but for addresses and templates that were compiled for another one before."""
    with mock.patch.object(Rule, "_compile_builder", _Builders.builder_of):
        app = create_app(program)
    app.jinja_env.bytecode_cache = _Templates()
    return app


class _Builders:
    """The functions that write the addresses of rules; they keep converters, and those know only how to write a value."""

    _compile = Rule._compile_builder
    _compiled: ClassVar[dict[tuple[str, str, bool], Any]] = {}

    @staticmethod
    def builder_of(rule: Rule, append_unknown: bool = True) -> Any:
        assert not rule.defaults
        assert not rule.subdomain
        key = (rule.rule, rule.endpoint, append_unknown)
        if key not in _Builders._compiled:
            _Builders._compiled[key] = _Builders._compile(rule, append_unknown)
        return _Builders._compiled[key]


class _Templates(BytecodeCache):
    """By name and by the hash of the source."""

    _compiled: ClassVar[dict[tuple[str, str], CodeType]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._compiled.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        assert bucket.code is not None
        self._compiled[bucket.key, bucket.checksum] = bucket.code
