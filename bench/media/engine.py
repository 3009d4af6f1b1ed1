# SPDX-License-Identifier: Apache-2.0
"""The generator in C: compiled when a bench begins, called through cffi, which lets go of the interpreter meanwhile.

The only file that knows private names of pylibsrtp: the library inside it, and the context inside a session.
`tests/bench/test_engine.py` fails when one is gone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from cffi import FFI
from msgspec import Struct
from pylibsrtp import Session
from pylibsrtp._binding import ffi as srtp_ffi
from pylibsrtp._binding import lib as srtp_lib

from bench.figures import Histogram

SAMPLE_EVERY: Final = 8
"""One packet in so many of each line is decrypted, for its time stamp and to see that it can be; a power of two."""

DATAGRAM_BYTES: Final = 2_048
_SOURCES: Final = Path(__file__).parent / "generator"
_FLAGS: Final = ("-O2", "-std=gnu11", "-shared", "-fPIC")
_TRANSFORMS: Final = ("srtp_protect", "srtp_unprotect", "srtp_protect_rtcp", "srtp_unprotect_rtcp")
_DECLARATIONS: Final = """
typedef struct {
    int64_t sent, unsent, expected, received, missing, misordered, sampled, refused, strays, silent_lines;
    int64_t keyframe_requests, ring_full, wall_ns;
} tally;
void *generator_new(uintptr_t, uintptr_t, uintptr_t, uintptr_t, int);
void generator_free(void *);
int generator_endpoint(void *, int, int, uint32_t, int, uintptr_t, uintptr_t);
int generator_stream(void *, int, uint32_t, int, int, const uint8_t *, int, int, int, int, int, int64_t, int64_t,
    int64_t, int);
void generator_fan(void *, int, int);
int generator_line(void *, int, uint32_t);
int generator_take(void *, int *, uint8_t *);
void generator_run(void *, int, int64_t);
const tally *generator_tally(void *);
const uint32_t *generator_latency(void *);
const uint32_t *generator_lateness(void *);
int generator_buckets(void);
int generator_bucket_ns(void);
"""


class NoCompiler(RuntimeError):
    """The generator is C; without a compiler there is no bench."""


class Refused(ValueError):
    """A stream or a line that the generator does not take, an SSRC given twice for instance."""


class StreamPlan(Struct, frozen=True):
    """What one source sends: a burst of packets (a picture, one voice packet) every period, `spacing_ns` apart."""

    ssrc: int
    payload_type: int
    clock_rate: int
    extension: bytes
    wide_at: int
    """Where in the extension the transport-wide sequence number goes; 0: it has none."""
    level_at: int
    """Where in the extension the level of a voice is, which takes a breath each second; 0: it has none.

    A sound that never pauses is a fan, not a voice: a server may stop forwarding it after half a minute.
    """
    payload_bytes: int
    per_burst: int
    period_ns: int
    spacing_ns: int
    offset_ns: int
    fan: int
    """Lines that should get it."""


class Tally(Struct, frozen=True):
    """Counts of one run. `unsent`: kernel or libsrtp would not take it. `refused`: did not decrypt to our payload."""

    sent: int
    unsent: int
    expected: int
    received: int
    missing: int
    misordered: int
    sampled: int
    refused: int
    strays: int
    silent_lines: int
    keyframe_requests: int
    ring_full: int
    wall_ns: int


class Engine:
    """One generator. Add endpoints, streams and lines between runs only; `run` blocks, so call it in a thread."""

    def __init__(self, library: Path) -> None:
        self._ffi = FFI()
        self._ffi.cdef(_DECLARATIONS)
        self._lib: Any = self._ffi.dlopen(str(library))
        self._state = self._lib.generator_new(*map(_address_of, _TRANSFORMS), SAMPLE_EVERY)
        self._from = self._ffi.new("int *")
        self._data = self._ffi.new("uint8_t[]", DATAGRAM_BYTES)
        self._kept: list[Session] = []

    def add_endpoint(self, fd: int, room: int, ssrc: int, wide_id: int, sessions: tuple[Session, Session]) -> int:
        """A connected socket and its SRTP sessions for receiving and sending, `ssrc` for its reports.

        `wide_id`: the header extension for transport-wide feedback; 0: there is no such feedback.
        """
        self._kept += sessions
        return int(self._lib.generator_endpoint(self._state, fd, room, ssrc, wide_id, *map(_context_of, sessions)))

    def add_stream(self, endpoint: int, plan: StreamPlan) -> int:
        """Let an endpoint send; returns the number of the stream."""
        extension = self._ffi.from_buffer("uint8_t[]", plan.extension)
        code = self._lib.generator_stream(
            self._state, endpoint, plan.ssrc, plan.payload_type, plan.clock_rate, extension, len(plan.extension),
            plan.wide_at, plan.level_at, plan.payload_bytes, plan.per_burst, plan.period_ns, plan.spacing_ns,
            plan.offset_ns, plan.fan,
        )  # fmt: skip
        if code < 0:
            raise Refused
        return int(code)

    def expect(self, stream: int, fan: int) -> None:
        """So many lines should get a stream from the next run on."""
        self._lib.generator_fan(self._state, stream, fan)

    def add_lines(self, endpoint: int, ssrcs: tuple[int, ...]) -> None:
        """What an endpoint will receive."""
        if any(self._lib.generator_line(self._state, endpoint, ssrc) < 0 for ssrc in ssrcs):
            raise Refused

    def run(self, rooms: int, duration_ns: int) -> None:
        """Send in the first `rooms` rooms, then wait until nothing comes any more."""
        self._lib.generator_run(self._state, rooms, duration_ns)

    def others(self) -> Iterator[tuple[int, bytes]]:
        """What came since the last call and is no media, with its endpoint. Safe during a run, from one thread."""
        while length := self._lib.generator_take(self._state, self._from, self._data):
            yield self._from[0], bytes(self._ffi.buffer(self._data, length))

    def tally(self) -> Tally:
        """Counts of the last run."""
        counted = self._lib.generator_tally(self._state)
        return Tally(**{name: getattr(counted, name) for name in Tally.__struct_fields__})

    def latency(self) -> Histogram:
        """From just before a packet was encrypted and sent to when a copy arrived, of the last run."""
        return self._histogram(self._lib.generator_latency(self._state))

    def lateness(self) -> Histogram:
        """How long after its time each packet was sent, of the last run."""
        return self._histogram(self._lib.generator_lateness(self._state))

    def close(self) -> None:
        """Free what it holds; the sockets stay the caller's."""
        self._lib.generator_free(self._state)
        self._kept.clear()

    def _histogram(self, counts: Any) -> Histogram:  # noqa: ANN401 - memory of the library
        return Histogram(
            width_ns=self._lib.generator_bucket_ns(), counts=self._ffi.unpack(counts, self._lib.generator_buckets())
        )


def compile_engine(folder: Path) -> Path:
    """The library, built in `folder`. Raises NoCompiler, and CalledProcessError if the compiler refuses the source."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise NoCompiler
    library = folder / "generator.so"
    subprocess.run([compiler, *_FLAGS, "-o", library, *_SOURCES.glob("*.c")], check=True)  # noqa: S603 - the user's
    return library


def make_engine() -> Engine:
    """Compile and load; the file is not needed any more once it is loaded."""
    with tempfile.TemporaryDirectory(prefix="holdspace-bench-") as folder:
        return Engine(compile_engine(Path(folder)))


def _address_of(name: str) -> int:
    return int(srtp_ffi.cast("uintptr_t", srtp_ffi.addressof(srtp_lib, name)))


def _context_of(session: Session) -> int:
    return int(srtp_ffi.cast("uintptr_t", session._srtp[0]))
