"""Writes messages into an archive in a folder, by FORMAT.md alone: write_archive.py FOLDER TEMPLATE < MESSAGES

MESSAGES is a JSON array of objects: `stream`, `entity`, `id`, `publish_time` (UTC, with `Z`), `payload` (base64), and what is not
empty of `attributes`, `properties`, `fidelity` and `others` (members that version 1 does not know). The keys are printed."""
import base64, hashlib, itertools, json, os, pathlib, re, sys

PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
LONGEST_ESCAPED, LONGEST_SEGMENT, LONGEST_NAME = 120, 255, 1024

def sha256(data, digits=64):
    return hashlib.sha256(data).hexdigest()[:digits]

def crc32c(data):
    rest = 0xFFFFFFFF
    for byte in data:
        rest ^= byte
        for _ in range(8):
            rest = rest >> 1 ^ (0x82F63B78 if rest & 1 else 0)
    return f"{rest ^ 0xFFFFFFFF:08x}"

def canonical(document):
    # Python sorts names by their code points, which is the order of their bytes in UTF-8.
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")

def escape(value):
    data = value.encode()
    if not data:
        return "~_"
    units = [chr(byte) if byte in PLAIN else f"~{byte:02X}" for byte in data]
    if data[0] in b"._":
        units[0] = f"~{data[0]:02X}"
    if data[-1:] == b".":
        units[-1] = "~2E"
    cut = list(itertools.takewhile(lambda end: end <= LONGEST_ESCAPED, itertools.accumulate(map(len, units))))
    return "".join(units[: len(cut)]) + ("" if len(cut) == len(units) else "~~" + sha256(data, 32))

def record_of(message, payload):
    record = {"format": "persistor/1", "kind": "message", "requires": []} | message.get("others", {})
    record |= {name: message[name] for name in ("stream", "entity", "id", "publish_time")}
    record |= {name: message.get(name, {}) for name in ("attributes", "properties")}
    record |= {"fidelity": sorted(message.get("fidelity", [])), "length": str(len(payload))}
    record |= {"sha256": sha256(payload), "crc32c": crc32c(payload)}
    return record | {"check": sha256(canonical(record), 16)}

def key_of(template, record):
    year, month, day, hour, minute, second = re.split("[-T:.Z]", record["publish_time"])[:6]
    parts = {"%Y": year, "%m": month, "%d": day, "%H": hour, "%M": minute, "%S": second}
    def rendered(field):
        name, _, rest = field[1].partition(":")
        if name == "time":
            return re.sub("%.", lambda part: parts[part[0]], rest)
        if name == "shard":
            return sha256(record["id"].encode(), int(rest))
        if name == "digest":
            return record["sha256"][:32]
        if name == "attribute":
            attribute, _, default = rest.partition("|")
            value = record["attributes"].get(attribute, default)
            return escape(value if isinstance(value, str) else list(value.values())[0])
        return escape({"stream": record["stream"], "id": record["id"]}[name])
    return re.sub("{([^}]*)}", rendered, template)

def create(root, name, content):
    assert len(name) <= LONGEST_NAME and max(map(len, name.split("/"))) <= LONGEST_SEGMENT, name
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / ".tmp" / "new").write_bytes(content)
    os.rename(root / ".tmp" / "new", root / name)  # One writer, so nothing is replaced but by itself.

root, template = pathlib.Path(sys.argv[1]), sys.argv[2]
(root / ".tmp").mkdir(parents=True, exist_ok=True)
layout = {"format": "persistor/1", "kind": "layout", "requires": [], "template": template}
layout |= {"digest": "sha256-32", "escape": "tilde-120"}
create(root, f"_persistor/layout/{sha256(canonical(layout), 32)}.json", canonical(layout))
for message in json.load(sys.stdin):
    payload = base64.b64decode(message["payload"], validate=True)
    record = record_of(message, payload)
    create(root, key_of(template, record) + ".record", canonical(record))
    create(root, key_of(template, record), payload)
    print(key_of(template, record))
