"""The calls of a table that nobody has written a line for: one that a single plain call yields needs none.

Only the call's name and the struct's name are taken from headwater; what the call returns is boto3's answer.
"""

import re
from collections import Counter

from botocore.exceptions import UnknownServiceError

from calls import GLOBAL
from canon import fold
from tables import T


def derive(schema, client):
    """The table's line, or None where it is not plain."""
    calls = re.findall(r"\w+", schema.get("calls") or "")
    if len(calls) != 1 or schema.get("parent"):
        return None
    structs = Counter(
        found.group(1)
        for column in schema["columns"]
        if (found := re.fullmatch(r"(\w+)\.\w+", column.get("origin") or ""))
    )
    if not structs:
        return None
    service = schema["name"].split("_")[1]
    try:
        operations = client.of(service, GLOBAL).meta.method_to_api_mapping
    except UnknownServiceError:
        return None
    if calls[0] not in operations:
        return None
    operation = operations[calls[0]]
    path = path_to(structs.most_common(1)[0][0], client.shape(service, operation))
    if path is None:
        return None
    table = T(schema["name"], operation, path)
    table.derived = True
    return table


def path_to(struct, shape, depth=2):
    """The way to a list of the structs, the shortest first."""
    lists = [(name, inner.member) for name, inner in shape.members.items() if inner.type_name == "list"]
    lists = [(name, member) for name, member in lists if member.type_name == "structure"]
    for name, member in lists:
        if fold(member.name) == fold(struct):
            return f"{name}[]"
    for name, member in lists if depth > 1 else []:
        inner = path_to(struct, member, depth - 1)
        if inner is not None:
            return f"{name}[].{inner}"
    return None
