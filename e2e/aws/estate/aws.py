"""Clients of a local AWS, and the small things that every part of the estate needs."""

import boto3
from botocore.config import Config

ACCOUNT = "123456789012"
HOME = "us-east-1"
ABROAD = "eu-west-1"
REGIONS = [HOME, ABROAD]


class Aws:
    """Clients by service and region, made once."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.session = boto3.session.Session()
        self.clients = {}

    def client(self, service, region=HOME):
        key = (service, region)
        if key not in self.clients:
            config = Config(
                # A call that moto lacks comes back as a server's error, which is not worth trying again.
                retries={"total_max_attempts": 1, "mode": "standard"},
                s3={"addressing_style": "path"},
            )
            self.clients[key] = self.session.client(
                service, region_name=region, endpoint_url=self.endpoint, config=config
            )
        return self.clients[key]


def tags(name, **more):
    """A tag list with the name and whatever else is said, in the order in which it is said."""
    pairs = {"Name": name, "Owner": "platform", **more}
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


def tagged(kind, name, **more):
    """The tag specification of a thing that is being made."""
    return [{"ResourceType": kind, "Tags": tags(name, **more)}]
