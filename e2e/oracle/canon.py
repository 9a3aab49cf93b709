"""One form for a value of boto3's and the same value of ours, so that the two can be compared.

Names of members are compared without their capitals and underscores. Absent, null and empty lists and structures are
the same: a wire format that has no empty list cannot tell them apart.
"""

import base64
import json
import re
from datetime import datetime, timezone
from urllib.parse import unquote

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def fold(name):
    return name.replace("_", "").lower()


def is_tags(shape):
    """A list of keys and values, which we store as one object."""
    return (
        shape.type_name == "list"
        and shape.member.type_name == "structure"
        and sorted(shape.member.members) == ["Key", "Value"]
    )


def column_of(name, shape):
    """The folded name of the column that a member stands for: a list of tags is `tags`, whatever the API calls it."""
    return "tags" if fold(name) in ("tagset", "taglist") and is_tags(shape) else fold(name)


def theirs(value, shape):
    """The form of a value that boto3 returned."""
    if value is None:
        return None
    kind = shape.type_name
    if is_tags(shape):
        return {item["Key"]: item.get("Value", "") for item in value} or None
    if kind == "structure":
        members = {fold(name): theirs(value[name], inner) for name, inner in shape.members.items() if name in value}
        return {name: inner for name, inner in members.items() if inner is not None} or None
    if kind == "list":
        return [theirs(item, shape.member) for item in value] or None
    if kind == "map":
        return {key: theirs(inner, shape.value) for key, inner in value.items()} or None
    if kind == "timestamp":
        return instant(value)
    if kind == "blob":
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        # A policy that boto3 has read already, though the model calls it a string.
        return plain(value)
    return number(value)


def ours(value, shape, kind):
    """The form of a value from a database, whose column has the type `kind`."""
    if value is None:
        return None
    if kind in ("json",) or kind.startswith("list<"):
        value = json.loads(value)
        return plain(value) if shape.type_name == "string" else nested(value, shape)
    if kind == "bool":
        return bool(value)
    if kind.startswith("timestamp"):
        return text_instant(value)
    if kind == "binary":
        return base64.b64encode(value).decode()
    return number(value)


def nested(value, shape):
    """The form of a value within JSON of ours."""
    if value is None:
        return None
    kind = shape.type_name
    if is_tags(shape):
        if isinstance(value, dict):
            return value or None
        return {item["Key"]: item.get("Value", "") for item in value} or None
    if kind == "structure":
        inner_shapes = {fold(name): inner for name, inner in shape.members.items()}
        members = {}
        for name, inner in value.items():
            # A member that this boto3 does not know yet is compared as it is, and so found to be too many.
            known = inner_shapes.get(fold(name))
            members[fold(name)] = nested(inner, known) if known is not None else plain(inner)
        return {name: inner for name, inner in members.items() if inner is not None} or None
    if kind == "list":
        return [nested(item, shape.member) for item in value] or None
    if kind == "map":
        return {key: nested(inner, shape.value) for key, inner in value.items()} or None
    if kind == "timestamp":
        return text_instant(value)
    if shape.name == "policyDocumentType" and isinstance(value, str):
        # IAM writes policies in the form of a URL. boto3 has read them; within JSON they may still be as they came.
        return policy(unquote(value))
    return plain(value)


def plain(value):
    """JSON as it is."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()} or None
    if isinstance(value, list):
        return [plain(inner) for inner in value] or None
    return number(value)


def policy(value):
    """A policy: text or what boto3 made of it."""
    return plain(json.loads(value) if isinstance(value, str) else value)


def number(value):
    return int(value) if isinstance(value, float) and value.is_integer() else value


def instant(value):
    """Microseconds since 1970. boto3 leaves some points in time as text."""
    if isinstance(value, str):
        return text_instant(value)
    if value.tzinfo is None:
        value = value.replace(tzinfo=timezone.utc)
    return (value - EPOCH) // (EPOCH.resolution)


def text_instant(text):
    text = re.sub(r"(\.\d{6})\d+", r"\1", text.strip().replace(" ", "T", 1).replace("Z", "+00:00"))
    value = datetime.fromisoformat(text)
    return instant(value if value.tzinfo else value.replace(tzinfo=timezone.utc))
