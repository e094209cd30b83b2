"""Answers against the shapes of botocore's service models: members, types, enumerations, patterns, limits, times.

The raw body is read, not what botocore makes of it: botocore passes over what it does not know, and takes more than AWS
sends.
"""

import base64
import binascii
import re
from datetime import datetime

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
# Shapes that are text in the model and times in fact.
TIME_SHAPES = {"DateTime"}


def is_time(text):
    """Whether a text is a time in the form of ISO 8601 that the services use."""
    if not TIME.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return False
    return True


# Shapes whose pattern has forgotten what the guide of the service names: the scans of AMIs have ids of AMIs.
FORGOTTEN = {("ResourceId", "ami-")}


def own_spelling(pattern):
    """A pattern of the models in Python's spelling: classes of Unicode become the nearest ones that `re` has, and what is beyond
    the first 65,536 characters is one range instead of pairs of surrogates."""
    pattern = pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")
    return re.sub(r"\\p\{([LNZ])\}", lambda match: r"\s" if match.group(1) == "Z" else r"\w", pattern)


class Checker:
    """Collects what is wrong with one answer: where, and what."""

    def __init__(self):
        self.faults = []

    def fault(self, path, what):
        self.faults.append((path or "the answer", what))

    def limits(self, shape, value, path, what):
        """`min` and `max` of the model."""
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        if least is not None and value < least or most is not None and value > most:
            self.fault(path, f"{what} {value} is not within {least}..{most} of {shape.name}")

    def required(self, shape, present, path):
        for name in shape.required_members:
            if name not in present:
                self.fault(path, f"the required member {name} of {shape.name} is missing")

    def text(self, shape, value, path):
        """A string, whatever the protocol."""
        if shape.enum and value not in shape.enum:
            self.fault(path, f"`{value}` is not one of {shape.name}: {', '.join(shape.enum)}")
        self.limits(shape, len(value), path, "the length")
        pattern = shape.metadata.get("pattern")
        if (shape.name, value[:4]) in FORGOTTEN:
            return
        if pattern and not re.search(own_spelling(pattern), value):
            self.fault(path, f"`{value}` does not match {pattern} of {shape.name}")
        if shape.name in TIME_SHAPES and not is_time(value):
            self.fault(path, f"`{value}` is not a time")

    # --- JSON -----------------------------------------------------------------------------------------------------

    def json(self, shape, value, path=""):
        """A JSON value against a shape."""
        if value is None:
            self.fault(path, "null where AWS leaves the member out")
            return
        check = getattr(self, f"json_{shape.type_name}", None)
        if check is None:
            self.fault(path, f"no check for the type {shape.type_name}")
        else:
            check(shape, value, path)

    def json_structure(self, shape, value, path):
        if not isinstance(value, dict):
            self.fault(path, f"{value!r} is not an object")
            return
        members = {member.serialization.get("name", name): (name, member) for name, member in shape.members.items()}
        for key, inner in value.items():
            if key in members:
                self.json(members[key][1], inner, f"{path}.{key}".lstrip("."))
            else:
                self.fault(path, f"the model of {shape.name} does not know the member {key}")
        self.required(shape, {members[key][0] for key in value if key in members}, path)

    def json_list(self, shape, value, path):
        if not isinstance(value, list):
            self.fault(path, f"{value!r} is not a list")
            return
        self.limits(shape, len(value), path, "the number of items")
        for item in value:
            self.json(shape.member, item, f"{path}[]")

    def json_map(self, shape, value, path):
        if not isinstance(value, dict):
            self.fault(path, f"{value!r} is not a map")
            return
        for key, inner in value.items():
            self.json(shape.key, key, f"{path}.{key}")
            self.json(shape.value, inner, f"{path}.{key}")

    def json_string(self, shape, value, path):
        if isinstance(value, str):
            self.text(shape, value, path)
        else:
            self.fault(path, f"{value!r} is not text")

    json_character = json_string

    def json_boolean(self, _shape, value, path):
        if not isinstance(value, bool):
            self.fault(path, f"{value!r} is not true or false")

    def json_integer(self, shape, value, path):
        if isinstance(value, bool) or not isinstance(value, int):
            self.fault(path, f"{value!r} is not a whole number")
        else:
            self.limits(shape, value, path, "the number")

    json_long = json_integer

    def json_double(self, shape, value, path):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.fault(path, f"{value!r} is not a number")
        else:
            self.limits(shape, value, path, "the number")

    json_float = json_double

    def json_timestamp(self, shape, value, path):
        if shape.serialization.get("timestampFormat", "unixTimestamp") == "iso8601":
            if not isinstance(value, str) or not is_time(value):
                self.fault(path, f"{value!r} is not a time")
        elif isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
            self.fault(path, f"{value!r} is not a time in seconds since 1970")

    def json_blob(self, _shape, value, path):
        self.base64(value if isinstance(value, str) else "", path)

    def base64(self, text, path):
        try:
            base64.b64decode(text, validate=True)
        except binascii.Error:
            self.fault(path, f"{text!r} is not base64")

    # --- XML of EC2 and of the query protocol ---------------------------------------------------------------------

    def xml(self, shape, element, path=""):
        """An XML element against a shape."""
        if shape.type_name == "structure":
            self.xml_structure(shape, element, path)
        elif shape.type_name == "list":
            self.xml_list(shape, element, path)
        elif len(element):
            self.fault(path, f"elements where a {shape.type_name} is expected")
        else:
            self.xml_scalar(shape, element.text or "", path)

    def xml_structure(self, shape, element, path):
        members = {member.serialization.get("name", name): (name, member) for name, member in shape.members.items()}
        present = []
        for child in element:
            key = local_name(child)
            if key not in members:
                self.fault(path, f"the model of {shape.name} does not know the element {key}")
                continue
            name, member = members[key]
            if name in present and not member.serialization.get("flattened"):
                self.fault(path, f"the element {key} is there twice")
            present.append(name)
            inner = f"{path}.{name}".lstrip(".")
            if member.type_name == "list" and member.serialization.get("flattened"):
                self.xml(member.member, child, f"{inner}[]")
            else:
                self.xml(member, child, inner)
        if (element.text or "").strip():
            self.fault(path, f"text where the elements of {shape.name} are expected")
        self.required(shape, present, path)

    def xml_list(self, shape, element, path):
        name = shape.member.serialization.get("name", "member")
        for child in element:
            if local_name(child) != name:
                self.fault(path, f"an item is called {local_name(child)}, not {name}")
            self.xml(shape.member, child, f"{path}[]")
        self.limits(shape, len(element), path, "the number of items")

    def xml_scalar(self, shape, text, path):
        kind = shape.type_name
        if kind in ("string", "character"):
            self.text(shape, text, path)
        elif kind == "boolean" and text not in ("true", "false"):
            self.fault(path, f"`{text}` is not true or false")
        elif kind in ("integer", "long"):
            if re.fullmatch(r"-?\d+", text):
                self.limits(shape, int(text), path, "the number")
            else:
                self.fault(path, f"`{text}` is not a whole number")
        elif kind in ("double", "float") and not re.fullmatch(r"-?\d+(\.\d+)?(E-?\d+)?", text):
            self.fault(path, f"`{text}` is not a number")
        elif kind == "timestamp" and not is_time(text):
            self.fault(path, f"`{text}` is not a time")
        elif kind == "blob":
            self.base64(text, path)


def local_name(element):
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]
