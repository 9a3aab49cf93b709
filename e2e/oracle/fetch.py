"""All items of a table, through boto3."""

from calls import GLOBAL, Item, along


class Fetch:
    """Tables are fetched once: children need their parents' items."""

    def __init__(self, client, tables, regions):
        self.client = client
        self.tables = tables
        self.regions = regions
        self.known = {}

    def items(self, name):
        if name not in self.known:
            self.known[name] = list(self.fetch(self.tables[name]))
        return self.known[name]

    def fetch(self, table):
        if table.of is None:
            for region in self.regions if table.regional else [GLOBAL]:
                yield from self.one(table, region, None, dict(table.given))
            return
        for parent in self.items(table.of):
            arguments = {**table.given, **{name: member(parent, path) for name, path in table.using.items()}}
            yield from self.one(table, parent.region, parent, arguments)

    def one(self, table, region, parent, arguments):
        shape = self.client.shape(table.service, table.call)
        for page in self.client.call(table.service, region, table.call, arguments, table.none):
            page.pop("ResponseMetadata", None)
            for value, inner in along(table.path, page, shape):
                item = Item(value, inner, region, parent)
                for prefix, call, path, using, none, when in table.more:
                    if when(item):
                        self.add(item, table.service, prefix, call, path, using, none)
                yield item

    def add(self, item, service, prefix, call, path, using, none):
        arguments = {name: member(item, path) for name, path in using.items()}
        shape = self.client.shape(service, call)
        for page in self.client.call(service, item.region, call, arguments, none):
            page.pop("ResponseMetadata", None)
            for value, inner in along(path, page, shape):
                for name, value in value.items():
                    item.further[prefix + name] = (inner.members[name], value)


def member(item, path):
    """A member of an item: `UserName`, `parent.UserName`, or `value` for an item that is a scalar."""
    for step in path.split("."):
        if step == "parent":
            item = item.parent
        elif step == "value" and not isinstance(item.value, dict):
            return item.value
        else:
            return item.value[step]
