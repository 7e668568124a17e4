"""Zip files that no honest program writes."""

import io
import struct
import zipfile
import zlib

NOW = 33 << 16  # a date


def deflated(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


class Lie:
    """One entry, each field of which may say something else than is true."""

    def __init__(self, name, data=b"data", **fields):
        self.name, self.data, self.fields = name, data, fields

    def field(self, name, truth):
        return self.fields.get(name, truth)


def lying(entries, comment=b"", **end):
    """A zip of Lies; `end` overrides fields of the end record."""
    out, directory = io.BytesIO(), b""
    for entry in entries:
        packed = deflated(entry.data) if entry.field("method", 0) == 8 else entry.data
        fields = (20, entry.field("flags", 0), entry.field("method", 0), NOW & 0xffff, NOW >> 16,
                  entry.field("crc", zlib.crc32(entry.data)), entry.field("packed", len(packed)),
                  entry.field("size", len(entry.data)), len(entry.name), len(entry.field("extra", b"")))
        offset = entry.field("offset", out.tell())
        out.write(b"PK\3\4" + struct.pack("<5H3L2H", *fields) + entry.name + entry.field("extra", b"") + packed)
        directory += (b"PK\1\2" + struct.pack("<H", 3 << 8 | 20) + struct.pack("<5H3L2H", *fields) +
                      struct.pack("<3H2L", 0, 0, 0, entry.field("mode", 0o100644) << 16, offset) + entry.name +
                      entry.field("extra", b""))
    begin = out.tell()
    out.write(directory)
    out.write(b"PK\5\6" + struct.pack("<4H2LH", 0, 0, end.get("count", len(entries)), end.get("count", len(entries)),
                                      end.get("size", len(directory)), end.get("offset", begin), len(comment)) + comment)
    return out.getvalue()


def end64(count, size, offset, locator=None):
    """A zip that is nothing but 64-bit end records."""
    record = b"PK\6\6" + struct.pack("<Q2H2L4Q", 44, 45, 45, 0, 0, count, count, size, offset)
    where = len(b"junk") if locator is None else locator
    return (b"junk" + record + b"PK\6\7" + struct.pack("<LQL", 0, where, 1) +
            b"PK\5\6" + struct.pack("<4H2LH", 0, 0, 0xffff, 0xffff, 0xffffffff, 0xffffffff, 0))


def quine_like():
    """An archive within an archive, a hundred deep: nothing unpacks what it was not asked for."""
    inner = b"bottom"
    for _ in range(100):
        inner = lying([Lie(b"a.zip", inner, method=8)])
    return inner


def honest(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return out.getvalue()


MEGA = 1 << 20
ARCHIVES = {
    "encrypted": lying([Lie(b"f", flags=1), Lie(b"g", flags=0x41)]),
    "link": lying([Lie(b"f", b"/etc/passwd", mode=0o120777), Lie(b"f/passwd", b"x"), Lie(b"dev", mode=0o060666)]),
    "crc": lying([Lie(b"f", b"x" * 100, crc=1), Lie(b"big", b"x" * (3 * MEGA), crc=1, method=8)]),
    "smaller": lying([Lie(b"f", b"x" * (5 * MEGA), method=8, size=10), Lie(b"big", b"x" * (5 * MEGA), method=8, size=2 * MEGA)]),
    "larger": lying([Lie(b"f", b"x", size=1000), Lie(b"g", b"x", method=8, size=4_000_000_000), Lie(b"h", packed=0xfffffff0)]),
    "elsewhere": lying([Lie(b"f", offset=0xfffffff0), Lie(b"g", offset=3), Lie(b"h", offset=0)]),
    "same": lying([Lie(b"f", b"first"), Lie(b"f", b"second"), Lie(b"f/", b""), Lie(b"f/x", b"in a file")]),
    "methods": lying([Lie(b"f%d" % method, method=method) for method in (1, 9, 12, 14, 93, 95, 99, 0xffff)]),
    "names": lying([Lie(name) for name in (
        b"/etc/passwd", b"../f", b"a/../../f", b"a\\b", b"C:\\f", b"a\0b", b"\xff\xfe", b"", b"/", b"//", b".", b"..", b"a//b",
        b"n" * 65535, "\u202egpj.exe".encode(), b"\x1b[2J", b"a\r\nSet-Cookie: x=y", b"con", b"<script>", b"%2e%2e%2ff")]),
    "deep": lying([Lie(b"d/" * 1900 + b"f"), Lie(b"d/" * 20_000 + b"f")]),
    "comment": lying([Lie(b"f")], comment=b"PK\5\6" + b"\0" * 18 + b"PK\5\6" * 16_000),
    "count": lying([Lie(b"f")], count=0xfffe),
    "offset": lying([Lie(b"f")], offset=0xfffffff0),
    "extra64": lying([Lie(b"f", size=0xffffffff, packed=0xffffffff, extra=struct.pack("<2H2Q", 1, 16, 2**64 - 1, 2**64 - 1))]),
    "short64": lying([Lie(b"f", size=0xffffffff, extra=struct.pack("<2HL", 1, 4, 1))]),
    "end64": end64(2**64 - 1, 2**64 - 1, 2**64 - 1),
    "end64_many": end64(2**63, 10, 4),
    "end64_far": end64(1, 46, 0, locator=2**64 - 1),
    "nested": quine_like(),
    "prefix": b"#!/bin/sh\n" * 1000 + lying([Lie(b"f")]),
    "tar": b"f".ljust(257, b"\0") + b"ustar\00000" + b"\0" * 247,
}
