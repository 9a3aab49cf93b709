"""The independent client: what boto3 returns for a table's calls, with the shapes that its own models give."""

import re

import boto3
import botocore
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

GLOBAL = "us-east-1"


class Unanswered(Exception):
    """The server does not know the call."""


class Item:
    """What one row is made of: a structure of an answer, where it was asked for, and the item it hangs from."""

    def __init__(self, value, shape, region, parent):
        self.value = value
        self.shape = shape
        self.region = region
        self.parent = parent
        # Members that further calls add, by the name they get as a column: shape and value.
        self.further = {}

    def names(self, account):
        """What a rule may refer to: the item's members, its parent's as `parent`, and the scope."""
        names = {"region": self.region, "account": account}
        names.update((self.value if isinstance(self.value, dict) else {"value": self.value}))
        if self.parent is not None:
            names["parent"] = self.parent.names(account)
        return names


class Client:
    """Calls by service and region; each call is made once."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.clients = {}

    def of(self, service, region):
        if (service, region) not in self.clients:
            config = Config(
                retries={"total_max_attempts": 1, "mode": "standard"},
                s3={"addressing_style": "path"},
                parameter_validation=True,
            )
            self.clients[service, region] = boto3.client(
                service, region_name=region, endpoint_url=self.endpoint, config=config
            )
        return self.clients[service, region]

    def shape(self, service, operation):
        """The shape of an operation's output."""
        return self.of(service, GLOBAL).meta.service_model.operation_model(operation).output_shape

    def call(self, service, region, operation, arguments, ignore=()):
        """All pages of a call's answer; none if the service says one of the errors that mean "there is none"."""
        client = self.of(service, region)
        method = botocore.xform_name(operation)
        try:
            if client.can_paginate(method):
                return list(client.get_paginator(method).paginate(**arguments))
            return [getattr(client, method)(**arguments)]
        except ResponseParserError as error:
            # Moto's page for what it lacks is HTML, where XML is due.
            raise Unanswered(f"{service} {operation}") from error
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in ignore:
                return []
            if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                raise Unanswered(f"{service} {operation}: {code}") from error
            raise


def along(path, value, shape):
    """The structures (or scalars) at the end of a path such as `Reservations[].Instances[]`, each with its shape.

    An empty path is the answer itself.
    """
    found = [(value, shape)]
    for step in path.split(".") if path else []:
        name, many = re.fullmatch(r"(\w+)(\[\])?", step).groups()
        found = [
            (value[name], shape.members[name])
            for value, shape in found
            if value is not None and value.get(name) is not None
        ]
        if many:
            found = [(one, shape.member) for value, shape in found for one in value]
    return found


def shape_along(path, shape):
    """The shape at the end of a path."""
    for step in path.split(".") if path else []:
        shape = shape.members[step.removesuffix("[]")]
        if step.endswith("[]"):
            shape = shape.member
    return shape
