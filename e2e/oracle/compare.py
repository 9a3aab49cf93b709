"""Compares the rows of a table with the items that boto3 returned for it."""

import json
import re
from collections import Counter

from calls import shape_along
from canon import column_of, fold, ours, policy, text_instant, theirs

ACCOUNT = "123456789012"
# What AWS itself owns has `aws` for an account.
ARN = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:([a-z0-9-]*):(\d{12}|aws|AWS|):.+")
# How many different rows are shown of a table.
SHOWN = 3


class Comparison:
    """What was found out about one table."""

    def __init__(self, name):
        self.name = name
        self.rows = 0
        self.compared = set()
        self.ruled = set()
        self.trusted = set()
        self.unchecked = set()
        self.problems = []


def compare(table, schema, rows, items, client, parents):
    """Compares. `rows` are dictionaries from the database, `parents` the `_cq_id`s of the parent table."""
    found = Comparison(table.name)
    found.rows = len(rows)
    columns = {column["name"]: column for column in schema["columns"] if not column["name"].startswith("_cq_")}
    members = known_members(table, client)
    integrity(table, schema, rows, parents, found)

    expected = []
    for item in items:
        row, known, used = {}, dict(values(item)), {fold(name) for name in table.lacks}
        for name, column in columns.items():
            key, value = expectation(table, name, column, item, members, known, found)
            if key is not None:
                row[name] = value
                used.add(key)
        expected.append(row)
        for name, value in known.items():
            if value is not None and name not in used:
                found.problems.append(f"boto3 returns `{name}` = {shown(value)}, and no column has it")
    found.problems = list(dict.fromkeys(found.problems))[: 4 * SHOWN]

    checked = found.compared | found.ruled
    actual = []
    for row in rows:
        form = {}
        for name in checked:
            shape = members.get(fold(name)) if name in found.compared else None
            form[name] = decoded(row[name], shape, columns[name])
        actual.append(form)
        for name in columns.keys() - checked - found.trusted:
            if row[name] is not None:
                found.unchecked.add(name)
    if items:
        differences(expected, actual, found)
    elif rows:
        found.problems.append(f"boto3 returns no item, and there are {len(rows)} rows")
    return found


def known_members(table, client):
    """The shapes of all members that the calls can return, by folded column name."""
    shape = shape_along(table.path, client.shape(table.service, table.call))
    members = {}
    if shape.type_name == "structure":
        members.update((column_of(name, inner), inner) for name, inner in shape.members.items())
    for prefix, call, path, *_ in table.more:
        inner = shape_along(path, client.shape(table.service, call))
        members.update((column_of(prefix + name, one), one) for name, one in inner.members.items())
    return members


def values(item):
    """The item's members by folded name, in the comparable form."""
    if isinstance(item.value, dict):
        for name, value in item.value.items():
            if name in item.shape.members:
                shape = item.shape.members[name]
                yield column_of(name, shape), theirs(value, shape)
    for name, (shape, value) in item.further.items():
        yield column_of(name, shape), theirs(value, shape)


def expectation(table, name, column, item, members, known, found):
    """What a column must hold for an item: the folded member it stands for and the value, or nothing."""
    if name in table.rules and table.rules[name] is None:
        found.trusted.add(name)
        return None, None
    rule = table.rules.get(name)
    if rule is None and name == "account_id":
        rule = ACCOUNT
    if rule is None and name == "region" and table.regional:
        rule = item.region
    if rule is None and name == "arn" and "arn" not in members and table.arn:
        rule = f"arn:aws:{table.service}:{{region}}:{{account}}:{table.arn}"
    if rule is not None:
        found.ruled.add(name)
        value = rule(item) if callable(rule) else rule.format_map(item.names(ACCOUNT))
        # A column that is a member by another name stands for that member.
        same = None if callable(rule) else re.fullmatch(r"\{(\w+)\}", rule)
        return fold(same.group(1) if same else name), value
    key = fold(name)
    if key not in members:
        return None, None
    found.compared.add(name)
    value = known.get(key)
    if column["type"] == "json" and isinstance(value, str):
        value = policy(value)
    return key, value


def decoded(value, shape, column):
    try:
        if shape is None:
            return text_instant(value) if column["type"].startswith("timestamp") and value else value
        return ours(value, shape, column["type"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return f"unreadable ({error}): {value!r}"


def integrity(table, schema, rows, parents, found):
    """Keys are unique and whole, ids too, ARNs look like ARNs, and children have parents."""
    key = [column["name"] for column in schema["columns"] if column.get("key")]
    if not key:
        found.problems.append("the table has no key")
    for columns in (key, ["_cq_id"]):
        count = Counter(tuple(row[name] for name in columns) for row in rows)
        twice = [key for key, times in count.items() if times > 1]
        if twice:
            found.problems.append(f"{len(twice)} keys ({', '.join(columns)}) come more than once, such as {twice[0]}")
        if any(None in key for key in count):
            found.problems.append(f"a key ({', '.join(columns)}) is not whole")
    for row in rows:
        if row.get("arn") is not None and not ARN.fullmatch(row["arn"]):
            found.problems.append(f"{row['arn']!r} is no ARN")
            break
    if table.of is not None:
        orphans = [row for row in rows if row["_cq_parent_id"] not in parents]
        if orphans:
            found.problems.append(f"{len(orphans)} of {len(rows)} rows have a `_cq_parent_id` that {table.of} lacks")


def differences(expected, actual, found):
    """The rows that only one side has, each shown beside the most similar one of the other side."""
    text = lambda row: json.dumps(row, sort_keys=True, default=str)
    missing = Counter(map(text, expected)) - Counter(map(text, actual))
    extra = Counter(map(text, actual)) - Counter(map(text, expected))
    missing = [json.loads(row) for row in missing.elements()]
    extra = [json.loads(row) for row in extra.elements()]
    if missing or extra:
        found.problems.append(f"{len(missing)} of {len(expected)} items of boto3's have no equal row")
    for row in missing[:SHOWN]:
        other = max(extra, key=lambda one: sum(one[name] == row[name] for name in row), default=None)
        if other is None:
            found.problems.append(f"missing: {shown(row)}")
            continue
        extra.remove(other)
        for name in sorted(row):
            if row[name] != other[name]:
                found.problems.append(f"`{name}`: boto3 has {shown(row[name])}\n{' ' * 12}the row has {shown(other[name])}")
    if len(extra) > len(missing) - SHOWN and not missing:
        found.problems.extend(f"too many: {shown(row)}" for row in extra[:SHOWN])


def shown(value):
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 600 else f"{text[:600]}…"
