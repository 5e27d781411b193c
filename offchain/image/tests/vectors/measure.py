#!/usr/bin/env python3
"""The registers of a TDX machine, computed a second time and independently of the Rust code.

    measure.py vectors > machine.json           a small firmware and kernel, and what they measure to
    measure.py image DIR FIRMWARE SHAPE TREE    registers of a built image, as JSON
"""
import hashlib
import json
import struct
import sys
import tomllib
import uuid


def sha(data):
    return hashlib.sha384(data).digest()


def sections(fw):
    """(offset, raw size, address, memory size, type, attributes) of each section."""
    marker = uuid.UUID("e47a6535-984a-4798-865e-4685a7bf8ec2").bytes_le
    entry = fw.rindex(marker)
    start = len(fw) - struct.unpack_from("<I", fw, entry - 6)[0]
    signature, _, version, count = struct.unpack_from("<4sIII", fw, start)
    assert (signature, version) == (b"TDVF", 1)
    return [struct.unpack_from("<IIQQII", fw, start + 16 + 32 * i) for i in range(count)]


def mrtd(fw, order):
    buffer = bytearray()

    def add(section, page):
        if not section[5] & 2:
            buffer.extend(b"MEM.PAGE.ADD".ljust(16, b"\0") + struct.pack("<Q", section[2] + page * 4096) + bytes(104))

    def extend(section, page):
        if section[5] & 1:
            for at in range(page * 4096, (page + 1) * 4096, 256):
                buffer.extend(b"MR.EXTEND".ljust(16, b"\0") + struct.pack("<Q", section[2] + at) + bytes(104))
                buffer.extend(fw[section[0] + at : section[0] + at + 256])

    for section in sections(fw):
        pages = range(section[3] // 4096)
        if order == "section-first":
            for page in pages:
                add(section, page)
            for page in pages:
                extend(section, page)
        else:
            for page in pages:
                add(section, page)
                extend(section, page)
    return sha(bytes(buffer))


def hob(fw, memory):
    low = 1 << 31 if memory >= 0xB0000000 else memory
    base = next(s[2] for s in sections(fw) if s[4] == 2)
    mine = sorted((s[2], s[2] + s[3]) for s in sections(fw) if s[4] in (2, 3))
    edges, at = [], 0
    for start, end in mine:
        if start > at:
            edges.append((7, at, start))
        edges.append((0, start, end))
        at = end
    edges.append((7, at, low))
    if memory > low:
        edges.append((7, 1 << 32, (1 << 32) + memory - low))
    body = b"".join(
        struct.pack("<HHI16sIIQQ", 3, 48, 0, b"", kind, 7, start, end - start) for kind, start, end in edges
    )
    return struct.pack("<HHIIIQQQQQ", 1, 56, 0, 9, 0, 0, 0, 0, 0, base + 56 + len(body) + 8) + body


def utf16(text):
    return text.encode("utf-16-le")


def rtmr0_event(event, fw, shape):
    kind = event["event"]
    if kind == "resource-list":
        return sha(hob(fw, shape["memory_mib"] << 20))
    if kind == "variables":
        section = next(s for s in sections(fw) if s[4] == 1)
        return sha(fw[section[0] : section[0] + section[1]])
    if kind == "empty-variable":
        name = event["name"]
        return sha(uuid.UUID(event["guid"]).bytes_le + struct.pack("<QQ", len(name), 0) + utf16(name))
    if kind == "separator":
        return sha(bytes(4))
    if kind == "boot-order":
        return sha(struct.pack(f"<{len(event['options'])}H", *event["options"]))
    if kind == "boot-option":
        path = struct.pack("<BBH", 4, 7, 20) + uuid.UUID(event["volume"]).bytes_le
        path += struct.pack("<BBH", 4, 6, 20) + uuid.UUID(event["file"]).bytes_le + b"\x7f\xff\x04\x00"
        return sha(struct.pack("<IH", event["attributes"], len(path)) + utf16(event["description"] + "\0") + path)
    if kind == "digest":
        return bytes.fromhex(event["sha384"])
    raise ValueError(kind)


def patched(kernel, initrd, shape):
    memory = shape["memory_mib"] << 20
    low = 1 << 31 if memory >= 0xB0000000 else memory
    kernel = bytearray(kernel)
    top = 0xFFFFFFFF if kernel[0x236] & 2 else struct.unpack_from("<I", kernel, 0x22C)[0]
    top = min(top, low - shape.get("acpi_data_bytes", 0x28000) - 1)
    kernel[0x210] = 0xB0
    kernel[0x211] |= 0x80
    if initrd:
        struct.pack_into("<II", kernel, 0x218, (top - len(initrd)) // 4096 * 4096, len(initrd))
    struct.pack_into("<II", kernel, 0x224, 0xFE00, 0x20000)
    return bytes(kernel)


def authenticode(image, algorithm=hashlib.sha384):
    pe = struct.unpack_from("<I", image, 0x3C)[0]
    optional = pe + 24
    count, optional_size = struct.unpack_from("<H", image, pe + 6)[0], struct.unpack_from("<H", image, pe + 20)[0]
    headers = struct.unpack_from("<I", image, optional + 60)[0]
    signed = struct.unpack_from("<I", image, optional + 148)[0]
    hashed = image[: optional + 64] + image[optional + 68 : optional + 144] + image[optional + 152 : headers]
    table = [struct.unpack_from("<II", image, optional + optional_size + 40 * i + 16) for i in range(count)]
    for size, start in sorted((t for t in table if t[0]), key=lambda t: t[1]):
        hashed += image[start : start + size]
    covered = headers + sum(size for size, _ in table)
    hashed += image[covered : len(image) - signed]
    return algorithm(hashed).digest()


def measure(fw, kernel, initrd, line, shape, tree, debug):
    logs = [
        [rtmr0_event(event, fw, shape) for event in shape["rtmr0"]],
        [authenticode(patched(kernel, initrd, shape))]
        + [
            sha(text)
            for text in (
                b"Calling EFI Application from Boot Option",
                bytes(4),
                b"Exit Boot Services Invocation",
                b"Exit Boot Services Returned with Success",
            )
        ],
        [sha(utf16(line + " initrd=initrd\0")), sha(initrd)],
        [
            sha(text.encode())
            for text in [f"cocoon:spec.tree={tree}"]
            + (["cocoon:cocoon_debug"] if debug else [])
            + ["cocoon:tdx_inited"]
        ],
    ]
    registers = []
    for log in logs:
        register = bytes(48)
        for digest in log:
            register = sha(register + digest)
        registers.append(register)
    first = mrtd(fw, shape["page_order"])
    zeros = bytes(144)
    return {
        "mrtd": first.hex(),
        "rtmr": [register.hex() for register in registers],
        "image_hash": hashlib.sha256(first + zeros + b"".join(registers) + bytes(64)).hexdigest(),
    }


def noise(seed, length):
    out = b""
    while len(out) < length:
        out += hashlib.sha256(f"{seed}{len(out)}".encode()).digest()
    return out[:length]


def small_firmware():
    """Two pages of variables, two of code, a resource list, temporary memory; the tables in the last page."""
    fw = bytearray(noise("firmware", 0x4000))
    parts = [
        (0x2000, 0x2000, 0xFFFFE000, 0x2000, 0, 1),
        (0, 0x2000, 0xFFFFC000, 0x2000, 1, 0),
        (0, 0, 0x811000, 0x3000, 3, 0),
        (0, 0, 0x809000, 0x2000, 2, 0),
        (0, 0, 0x900000, 0x1000, 6, 2),
    ]
    meta = struct.pack("<4sIII", b"TDVF", 16 + 32 * len(parts), 1, len(parts))
    meta += b"".join(struct.pack("<IIQQII", *part) for part in parts)
    at = 0x3C00
    fw[at : at + len(meta)] = meta
    entry = struct.pack("<IH", len(fw) - at, 22) + uuid.UUID("e47a6535-984a-4798-865e-4685a7bf8ec2").bytes_le
    other = noise("entry", 10) + struct.pack("<H", 28) + noise("guid", 16)
    end = struct.pack("<H", 18 + len(entry + other)) + uuid.UUID("96b582de-1fb2-45f7-baea-a366c55a082d").bytes_le
    table = entry + other + end
    fw[-32 - len(table) : -32] = table
    return bytes(fw)


def small_kernel():
    """A bzImage's header and a PE header over two sections out of order, something behind them, a signature."""
    kernel = bytearray(noise("kernel", 0x1A00))
    kernel[0x202:0x208] = b"HdrS" + struct.pack("<H", 0x20F)
    kernel[0x211] = 1
    kernel[0x236:0x238] = struct.pack("<H", 0x3F)
    pe = 0x400
    struct.pack_into("<I", kernel, 0x3C, pe)
    kernel[pe : pe + 4] = b"PE\0\0"
    struct.pack_into("<HH", kernel, pe + 4, 0x8664, 3)
    struct.pack_into("<H", kernel, pe + 20, 160)
    struct.pack_into("<H", kernel, pe + 24, 0x20B)
    struct.pack_into("<I", kernel, pe + 24 + 60, 0x600)
    struct.pack_into("<I", kernel, pe + 24 + 108, 6)
    struct.pack_into("<II", kernel, pe + 24 + 144, 0x1900, 0x100)
    for index, (size, start) in enumerate([(0x800, 0x1000), (0, 0), (0xA00, 0x600)]):
        struct.pack_into("<II", kernel, pe + 24 + 160 + 40 * index + 16, size, start)
    return bytes(kernel)


SHAPE = """
name = "small"
vcpus = 1
memory_mib = {memory}
page_order = "{order}"

[[rtmr0]]
event = "resource-list"
[[rtmr0]]
event = "variables"
[[rtmr0]]
event = "empty-variable"
guid = "8BE4DF61-93CA-11D2-AA0D-00E098032B8C"
name = "SecureBoot"
[[rtmr0]]
event = "separator"
[[rtmr0]]
event = "digest"
name = "ACPI tables"
sha384 = "{digest}"
[[rtmr0]]
event = "boot-order"
options = [0, 1]
[[rtmr0]]
event = "boot-option"
description = "UiApp"
volume = "7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1"
file = "462caa21-7614-4503-836e-8ab6f4662331"
attributes = 265
"""


def vectors():
    fw, kernel, initrd, tree = small_firmware(), small_kernel(), noise("initrd", 5000), "5a" * 32
    line = "console=ttyS0 panic=-1 cocoon.root=" + "0a" * 32 + ":7"
    cases = []
    for memory, order, debug in [(512, "each-page", False), (4096, "section-first", True), (2816, "each-page", True)]:
        text = SHAPE.format(memory=memory, order=order, digest=sha(b"tables").hex())
        result = measure(fw, kernel, initrd, line, tomllib.loads(text), tree, debug)
        cases.append({"shape": text, "debug": debug, **result})
    print(
        json.dumps(
            {"firmware": fw.hex(), "kernel": kernel.hex(), "initrd": initrd.hex(), "line": line, "tree": tree, "cases": cases},
            indent=1,
        )
    )


def image(folder, firmware, shape, tree):
    read = lambda path: open(path, "rb").read()
    line = read(f"{folder}/cmdline").decode()
    result = measure(
        read(firmware),
        read(f"{folder}/kernel"),
        read(f"{folder}/initrd"),
        line,
        tomllib.loads(read(shape).decode()),
        tree,
        "cocoon.debug" in line.split(),
    )
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    vectors() if sys.argv[1] == "vectors" else image(*sys.argv[2:])
