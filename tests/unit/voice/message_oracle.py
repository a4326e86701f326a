#!/usr/bin/python3
"""Mumble's control messages against python3-protobuf: what it writes we read and say again, and what it
cannot read we refuse.

    message_oracle.py ECHO PROTOC MUMBLE_PROTO CONTROL_DEF MESSAGE_DEF

77 where python3-protobuf is missing. RINGMAIN_SEED draws the same messages again."""
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile
import warnings

try:
    from google.protobuf import descriptor as d
    from google.protobuf.message import DecodeError
except ImportError:
    print("python3-protobuf is not installed")
    sys.exit(77)

BAD_TEXT, TOO_LONG, TOO_MANY = 3, 4, 5  # enum message_status
echo, protoc, schema, control_def, message_def = sys.argv[1:6]
seed = int(os.environ.get("RINGMAIN_SEED", random.randrange(1 << 31)))
rng = random.Random(seed)
print(f"RINGMAIN_SEED={seed}")

with tempfile.TemporaryDirectory() as folder:
    subprocess.run([protoc, "-I", str(pathlib.Path(schema).parent), "--python_out", folder, schema],
                   check=True)
    sys.path.insert(0, folder)
    import mumble_pb2

types = {int(n): name for n, name in
         re.findall(r"^CONTROL\((\d+), \w+, (\w+),", pathlib.Path(control_def).read_text(), re.M)}
assert len(types) == 26, types


def names_agree():
    """Every row of the table has the name, number and kind of the schema, and none is missing."""
    kinds = {"U32": d.FieldDescriptor.TYPE_UINT32, "U64": d.FieldDescriptor.TYPE_UINT64,
             "I32": d.FieldDescriptor.TYPE_INT32, "BOOL": d.FieldDescriptor.TYPE_BOOL,
             "YES": d.FieldDescriptor.TYPE_BOOL, "FLOAT": d.FieldDescriptor.TYPE_FLOAT,
             "TEXT": d.FieldDescriptor.TYPE_STRING, "BYTES": d.FieldDescriptor.TYPE_BYTES}
    rows = {}
    for how, message, rest in re.findall(r"^(ONE|MUST|MANY|PARTS?)\((\w+), ([^)]*)\)",
                                         pathlib.Path(message_def).read_text(), re.M):
        number, kind, name = [x.strip() for x in rest.split(",")[:3]]
        rows.setdefault(message, {})[int(number)] = (how, kind, name)
    for message, fields in rows.items():
        schema_fields = getattr(mumble_pb2, message).DESCRIPTOR.fields_by_number
        assert set(fields) == set(schema_fields), message
        assert list(fields) == sorted(fields), f"{message} is not in the order of the numbers"
        for number, (how, kind, name) in fields.items():
            field = schema_fields[number]
            assert field.name == name, (message, number, name, field.name)
            assert (field.label == field.LABEL_REPEATED) == (how in ("MANY", "PARTS")), (message, name)
            assert (field.label == field.LABEL_REQUIRED) == (how == "MUST"), (message, name)
            if how.startswith("PART"):
                assert field.message_type.name == kind, (message, name)
            else:
                assert field.type == kinds[kind], (message, name)
            if field.type == field.TYPE_BOOL:
                assert field.default_value == (kind == "YES"), (message, name)


def some_value(field):
    edge32 = [0, 1, 127, 128, 16383, 16384, 2**31 - 1, 2**31, 2**32 - 1, rng.getrandbits(32)]
    match field.type:
        case field.TYPE_UINT32:
            return rng.choice(edge32)
        case field.TYPE_UINT64:
            return rng.choice(edge32 + [2**63, 2**64 - 1, rng.getrandbits(64)])
        case field.TYPE_INT32:
            return rng.choice([0, 1, -1, 2**31 - 1, -2**31, rng.randrange(-1000, 1000)])
        case field.TYPE_BOOL:
            return rng.random() < 0.5
        case field.TYPE_FLOAT:
            return rng.choice([0.0, -0.0, 1.5, float("inf"), struct.unpack("<f", rng.randbytes(3) + b"?")[0]])
        case field.TYPE_STRING:
            return "".join(rng.choice("aé€😀<&\n ") for _ in range(rng.choice([0, 1, 5, 20])))
        case field.TYPE_BYTES:
            return rng.randbytes(rng.choice([0, 1, 4, 16]))
    raise AssertionError(field.type)


def fill(message, share):
    for field in message.DESCRIPTOR.fields:
        must = field.label == field.LABEL_REQUIRED
        if not must and rng.random() > share:
            continue
        if field.label == field.LABEL_REPEATED:
            for _ in range(rng.choice([1, 2, 7])):
                if field.message_type:
                    fill(getattr(message, field.name).add(), share)
                else:
                    getattr(message, field.name).append(some_value(field))
        elif field.message_type:
            getattr(message, field.name).SetInParent()
            fill(getattr(message, field.name), share)
        else:
            setattr(message, field.name, some_value(field))


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7f | 0x80])
        value >>= 7
    return out + bytes([value])


def packed(message):
    """The same message with its repeated numbers in runs, which readers must take as well."""
    out = b""
    for field, value in message.ListFields():
        if field.label == field.LABEL_REPEATED and field.type in (field.TYPE_UINT32, field.TYPE_INT32):
            run = b"".join(varint(v & 2**64 - 1) for v in value)
            out += varint(field.number << 3 | 2) + varint(len(run)) + run
        else:
            one = type(message)()
            if field.label == field.LABEL_REPEATED:
                getattr(one, field.name).extend(value)
            elif field.message_type:
                getattr(one, field.name).CopyFrom(value)
            else:
                setattr(one, field.name, value)
            out += one.SerializePartialToString()
    return out


STRANGE = [varint(200 << 3) + b"\x05", varint(201 << 3 | 1) + b"12345678", varint(202 << 3 | 2) + b"\x03abc",
           varint(203 << 3 | 5) + b"1234",
           # a group with a field and a group in it
           varint(204 << 3 | 3) + b"\x08\x01" + varint(9 << 3 | 3) + varint(9 << 3 | 4) + varint(204 << 3 | 4)]


def bodies():
    """(type, body, whether it must be read)"""
    for number, name in types.items():
        kind = getattr(mumble_pb2, name)
        for share in [0, 0.3, 1, 0.5, 0.7, 1]:
            message = kind()
            fill(message, share)
            whole = message.SerializeToString()
            yield number, whole, True
            yield number, packed(message), True
            yield number, rng.choice(STRANGE) + whole + rng.choice(STRANGE), True
            # Twice: single fields are the last ones, parts are put together, lists go on.
            other = kind()
            fill(other, 0.4)
            yield number, whole + other.SerializeToString(), True
            for cut in sorted(rng.sample(range(len(whole)), min(20, len(whole)))):
                yield number, whole[:cut], False
            for _ in range(30):
                broken = bytearray(whole + rng.choice(STRANGE))
                for _ in range(rng.choice([1, 1, 2, 5])):
                    broken[rng.randrange(len(broken))] = rng.getrandbits(8)
                yield number, bytes(broken), False


def frames(stream):
    while stream:
        number, length = struct.unpack(">HI", stream[:6])
        yield number, stream[6:6 + length]
        stream = stream[6 + length:]


def they_read(message, body):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            message.ParseFromString(body)
        except DecodeError:
            return False
    return not said and message.IsInitialized()  # they only warn of the end of no group


def read_varint(body, at):
    value = shift = 0
    while body[at] & 0x80:
        value |= (body[at] & 0x7f) << shift
        shift, at = shift + 7, at + 1
    return (value | body[at] << shift) & 2**64 - 1, at + 1


def texts(kind, body, at=0):
    """Every text in what they read, also one that a later one of the same field takes the place of; at the
    end of a group or of the body, where that is."""
    while at < len(body):
        key, at = read_varint(body, at)
        field = kind and kind.fields_by_number.get((key & 2**32 - 1) >> 3)
        match key & 7:
            case 0:
                _, at = read_varint(body, at)
            case 1:
                at += 8
            case 2:
                size, at = read_varint(body, at)
                part = body[at:at + size]
                if field and field.message_type:
                    yield from texts(field.message_type, part)
                elif field and field.type == field.TYPE_STRING:
                    yield part
                at += size
            case 3:
                at = yield from texts(None, body, at)
            case 4:
                break
            case 5:
                at += 4
    return at


def has_bad_text(kind, body):
    """Theirs takes texts that are not UTF-8, as C++ does."""
    for text in texts(kind, body):
        try:
            text.decode()
        except UnicodeDecodeError:
            return True
    return False


# Their library writes a line to standard error for each bad text: what went wrong would be lost in them.
sys.stderr = os.fdopen(os.dup(2), "w")
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
names_agree()
asked = list(bodies())
told = b"".join(struct.pack(">HI", number, len(body)) + body for number, body, _ in asked)
answer = subprocess.run([echo], input=told, stdout=subprocess.PIPE, stderr=sys.stderr, check=True,
                        timeout=60).stdout
counts = {"read": 0, "refused": 0, "stricter": 0}
for (number, body, must), (type_, said) in zip(asked, frames(answer), strict=True):
    message = getattr(mumble_pb2, types[number])()
    theirs = they_read(message, body)
    where = f"{types[number]} {body.hex()}"
    if type_ == number:
        again = type(message)()
        again.ParseFromString(said)
        message.DiscardUnknownFields()
        assert theirs, f"we read what they do not: {where}"
        assert again.SerializeToString() == message.SerializeToString(), where
        counts["read"] += 1
    else:
        # TOO_LONG and TOO_MANY are limits of our own; random bytes may reach them.
        assert not must, f"we do not read {where}: {said.hex()}"
        assert not theirs or said[0] in (TOO_LONG, TOO_MANY) or \
            said[0] == BAD_TEXT and has_bad_text(message.DESCRIPTOR, body), \
            f"they read what we do not: {where}: {said.hex()}"
        counts["stricter" if theirs else "refused"] += 1
print(counts)
assert counts["read"] > 1000 and counts["refused"] > 1000, counts
