"""Lists the messages of an archive in a folder, a JSON line each, and checks them, by FORMAT.md alone: reader.py FOLDER"""
import hashlib, json, pathlib, re, sys

PLAIN = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
TABLE = list(range(256))
for _ in range(8): TABLE = [entry >> 1 ^ 0x82F63B78 * (entry & 1) for entry in TABLE]
def crc32c(data, crc=0xFFFFFFFF):
    for byte in data: crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return f"{crc ^ 0xFFFFFFFF:08x}"
def sha256(data, digits=64): return hashlib.sha256(data).hexdigest()[:digits]
def known(document, kind): return [document["format"], document["kind"], document["requires"]] == ["persistor/1", kind, []]
def check(record):
    rest = {name: record[name] for name in record if name != "check"}
    return sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode(), 16)
def escape(value):
    data, out = value.encode(), "" if value else "~_"
    for at, byte in enumerate(data):
        edge = byte == ord(".") and at in (0, len(data) - 1) or byte == ord("_") and at == 0
        unit = chr(byte) if byte in PLAIN and not edge else f"~{byte:02X}"
        if len(out + unit) > 120: return out + "~~" + sha256(data, 32)
        out += unit
    return out
def render(template, record):
    moment = dict(zip("YmdHMS", re.split(r"\D", record["publish_time"])))
    def field(found):
        name, _, argument = found[1].partition(":")
        if name == "time": return re.sub("%(.)", lambda part: moment[part[1]], argument)
        if name == "shard": return sha256(record["id"].encode(), int(argument))
        if name == "digest": return record["sha256"][:32]
        attribute, _, default = argument.partition("|")
        value = record["attributes"].get(attribute, default) if name == "attribute" else record[name]
        return escape(value if isinstance(value, str) else next(iter(value.values())))
    return re.sub(r"\{(.*?)\}", field, template)
root, damaged = pathlib.Path(sys.argv[1]), []
files = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
layouts = [json.loads(file.read_bytes()) for name, file in files.items() if name.startswith("_persistor/layout/")]
def keys(record): return [render(layout["template"], record) for layout in layouts if known(layout, "layout")]
for name in sorted(name for name in files if not re.search(r"(^|/)_|^\.tmp/", name)):
    key = name.removesuffix(".record")
    if key not in files: print("a record without its payload:", name, file=sys.stderr)
    if key != name: continue
    try:
        record, payload = json.loads(files[key + ".record"].read_bytes()), files[key].read_bytes()
        if not known(record, "message"): print("of a later version, passed over:", key, file=sys.stderr); continue
        facts = {"check": check(record), "length": str(len(payload)), "sha256": sha256(payload), "crc32c": crc32c(payload)}
        if not facts.items() <= record.items() or key not in keys(record): raise ValueError
        told = {member: record[member] for member in ("stream", "id", "publish_time", "sha256", "attributes")}
        print(json.dumps({"key": key, "size": len(payload)} | told))
    except (AttributeError, KeyError, TypeError, ValueError): damaged.append(key)
sys.exit("\n".join(["damaged:", *damaged]) if damaged else 0)
