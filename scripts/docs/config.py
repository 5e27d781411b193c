"""Keys of the runners' configurations, out of the declarations that read them."""

import pathlib
import re
import typing

# File, and the declaration that it is read into: crate and struct.
ROOTS = [
    ("proxy.toml", "proxy", "ProxyConfig"),
    ("worker.toml", "worker", "WorkerConfig"),
    ("client.toml", "client", "ClientConfig"),
    ("router.toml", "router", "RouterConfig"),
    ("keymanager.toml", "keymanager", "KeyManagerConfig"),
    ("telegram.toml", "telegram", "BotConfig"),
]

OPENING = re.compile(r"pub (struct|enum) (\w+) \{$")
FIELD = re.compile(r" {4}pub (\w+): (.*),$")
VARIANT = re.compile(r" {4}([A-Z]\w*)(?:\((\w+)\),| \{|,)$")


class Broken(Exception):
    """A declaration that does not look as this module expects."""


class Item(typing.NamedTuple):
    """A field of a struct, or a variant of an enumeration."""

    doc: str
    attributes: str
    name: str
    type: str


class Declared(typing.NamedTuple):
    """A struct or an enumeration."""

    crate: str
    source: str
    doc: str
    attributes: str
    what: str
    name: str
    items: list[Item]


def declarations(crate: str, source: str) -> typing.Iterator[Declared]:
    """All that are public and stand at the margin."""
    doc, attributes, current = "", "", None
    for line in source.split("\n"):
        opening = OPENING.match(line)
        if line.strip().startswith("///"):
            doc += line + "\n"
        elif line.strip().startswith("#["):
            attributes += line + "\n"
        elif opening:
            current = Declared(crate, source, doc, attributes, opening[1], opening[2], [])
            doc = attributes = ""
        elif line == "}" and current:
            yield current
            current = None
        else:
            item = current and (FIELD if current.what == "struct" else VARIANT).match(line)
            if item:
                current.items.append(Item(doc, attributes, item[1], item[2] or ""))
            doc = attributes = ""


def prose(doc: str) -> str:
    text = " ".join(line.strip().removeprefix("///").strip() for line in doc.strip().split("\n"))
    text = re.sub(r"\[`?([^\]`]+)`?\]\([^)]*\)|\[`([^\]]+)`\]", lambda link: f"`{link[1] or link[2]}`", text)
    return text.replace("|", "\\|").strip()


class Sources:
    """Everything that is declared under offchain/."""

    def __init__(self, root: pathlib.Path):
        self.declared: dict[str, list[Declared]] = {}
        self.constants: dict[str, dict[str, str]] = {}
        for path in sorted(root.glob("offchain/*/src/**/*.rs")):
            crate, source = path.relative_to(root).parts[1], path.read_text(encoding="utf-8").split("#[cfg(test)]")[0]
            for found in declarations(crate, source):
                self.declared.setdefault(found.name, []).append(found)
            constants = re.findall(r"const (\w+): [^=]+ = (.+?);", source)
            self.constants.setdefault(crate, {}).update(constants)

    def find(self, name: str, crate: str, source: str = "") -> Declared | None:
        """A declaration that is read from files: of the crate that the source imports it from, or of this crate."""
        known = [each for each in self.declared.get(name, []) if "Deserialize" in each.attributes]
        imported = re.search(rf"^(?:pub )?use cocoon_(\w+)::[^;]*\b{name}\b", source, re.MULTILINE)
        wanted = imported[1].replace("_", "-") if imported else crate
        return next((each for each in known if each.crate == wanted), None)

    def value(self, text: str, crate: str) -> str:
        """What an expression is, if that can be seen; else nothing."""
        text = re.sub(r"\.(as_secs(_f64)?|into|to_owned|to_string)\(\)$", "", text.strip())
        elsewhere = re.match(r"cocoon_(\w+)::", text)
        crate = elsewhere[1] if elsewhere else crate
        constant = self.constants.get(crate, {}).get(text.split("::")[-1])
        if constant:
            return self.value(constant, crate)
        address = re.fullmatch(r"(?:SocketAddr::from\()?\(?(?:\[127, 0, 0, 1\]|Ipv4Addr::LOCALHOST), ([\d_]+)\)+", text)
        if address:
            return f"`127.0.0.1:{address[1].replace('_', '')}`"
        wrapped = re.fullmatch(r"(?:Duration::from_secs|Nanoton::new|Duration::from_secs_f64)\((.*)\)", text)
        text = wrapped[1] if wrapped else text
        shifted = re.fullmatch(r"(\d+) << (\d+)", text)
        if shifted:
            return f"`{int(shifted[1]) << int(shifted[2])}`"
        literal = re.fullmatch(r'[\d_]+(\.[\d_]+)?(e\d+)?|true|false|"[^"]*"', text)
        return f"`{text.replace('_', '')}`" if literal else ""

    def default(self, declared: Declared, field: Item) -> str:
        """What counts when the key is left out."""
        attributes, kind = field.attributes, field.type
        named = re.search(r'default = "([\w:]+)"', attributes)
        if named:
            body = re.search(rf"fn {named[1].split('::')[-1]}\(\) -> [^{{]+ \{{\n\s*(.*)\n\}}", declared.source)
            return self.value(body[1], declared.crate) if body else ""
        whole = re.search(rf"impl Default for {declared.name} \{{.*?Self \{{\n(.*?)\n        \}}", declared.source, re.DOTALL)
        if re.search(r"serde\([^)]*\bdefault\b", declared.attributes) and whole:
            value = re.search(rf"^\s*{field.name}: (.*),$", whole[1], re.MULTILINE)
            return self.value(value[1], declared.crate) if value else ""
        if re.search(r"serde\([^)]*\bdefault\b", attributes + declared.attributes):
            return "`false`" if kind == "bool" else ""
        return "needed"


def types(kind: str) -> list[str]:
    return [word for word in re.findall(r"\w+", kind) if word not in ("Option", "Vec", "Box", "BTreeMap", "String")]


def table(sources: Sources, declared: Declared, path: str, sections: list[str], seen: set[str]) -> None:
    """One table of keys, and those of the tables inside it behind it."""
    rows, nested = [], []
    for field in declared.items:
        if re.search(r"serde\([^)]*\bskip\b", field.attributes):
            continue
        what, key = prose(field.doc), f"{path}{field.name}"
        inside = next(filter(None, (sources.find(name, declared.crate, declared.source) for name in types(field.type))), None)
        if inside and inside.items and inside.what == "struct":
            nested.append((inside, f"{key}."))
            needed = ", needed" if sources.default(declared, field) == "needed" else ""
            rows.append(f"| `{key}` | table{needed} | {what} |")
            continue
        if inside and inside.what == "enum":
            what += words(sources, inside, key, nested)
        rows.append(f"| `{key}` | {sources.default(declared, field)} | {what} |")
    sections.append("\n".join([f"### {path.rstrip('.') or 'Top'}", "", prose(declared.doc), "", "| key | default | what |", "|---|---|---|", *rows, ""]))
    for inside, prefix in nested:
        if prefix not in seen:
            seen.add(prefix)
            table(sources, inside, prefix, sections, seen)


def words(sources: Sources, declared: Declared, key: str, nested: list) -> str:
    """The words that an enumeration takes. Tables of a kind are listed like others."""
    told = []
    if not re.search(r'rename_all = "(lowercase|snake_case)"', declared.attributes):
        return ""  # It is read from text of a form of its own, which the field's text tells.
    for variant in declared.items:
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", variant.name).lower()
        default = " (default)" if "#[default]" in variant.attributes else ""
        told.append(f"`{name}`{default}: {prose(variant.doc).rstrip('.')}")
        inside = variant.type and sources.find(variant.type, declared.crate, declared.source)
        if inside and inside.what == "struct":
            nested.append((inside, f"{key}."))
    return f" {'; '.join(told)}." if told else ""


def page(root: pathlib.Path) -> str:
    sources, text = Sources(root), []
    for file, crate, name in ROOTS:
        declared = sources.find(name, crate)
        if declared is None or not declared.items:
            raise Broken(f"{name} was not found in offchain/{crate}")
        sections: list[str] = []
        table(sources, declared, "", sections, set())
        text.append(f"## {file}\n\n" + "\n".join(sections))
    return (
        "# Configuration\n\nKeys of the runners' files, in TOML. Unknown ones are refused. Paths are relative to the folder of the file; a key of a\n"
        "table stands in it: `routing.max_wait` is `max_wait` under `[routing]`, and `models.name` is `name` in each `[[models]]`. needed: the\n"
        "file must have it, or its table, where that is there, must. Empty: none, or what the text says. `cocoon config check ROLE FILE`\n"
        "reads a file as the daemon would.\n\n" + "\n".join(text)
    )
