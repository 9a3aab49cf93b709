"""What the estate would have too if moto answered the call, and why it does not.

Each call is tried all the same: one that works by now is reported, so that this list shrinks as moto grows.
"""

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from aws import HOME

LACKING = [
    ("ec2", "create_capacity_reservation", "moto has no capacity reservations",
     {"InstanceType": "m6i.large", "InstancePlatform": "Linux/UNIX", "InstanceCount": 1, "AvailabilityZone": "us-east-1a"}),
    ("ec2", "create_instance_connect_endpoint", "moto has no instance connect endpoints", {"SubnetId": "subnet-1"}),
    ("ec2", "create_placement_group", "moto has no placement groups", {"GroupName": "spread", "Strategy": "spread"}),
    ("ec2", "purchase_reserved_instances_offering", "moto lists offerings and sells none",
     {"InstanceCount": 1, "ReservedInstancesOfferingId": "offering"}),
    ("ec2", "create_spot_datafeed_subscription", "moto has no spot data feed", {"Bucket": "headwater-demo-logs"}),
    ("ec2", "create_traffic_mirror_filter_rule", "moto's mirror filters have no rules",
     {"TrafficMirrorFilterId": "tmf-1", "TrafficDirection": "ingress", "RuleNumber": 1, "RuleAction": "accept",
      "DestinationCidrBlock": "0.0.0.0/0", "SourceCidrBlock": "0.0.0.0/0"}),
    ("ec2", "create_transit_gateway_connect", "moto has no connect attachments",
     {"TransportTransitGatewayAttachmentId": "tgw-attach-1", "Options": {"Protocol": "gre"}}),
    ("ec2", "create_transit_gateway_multicast_domain", "moto has no multicast domains", {"TransitGatewayId": "tgw-1"}),
    ("ec2", "create_client_vpn_endpoint", "moto has no client VPN",
     {"ClientCidrBlock": "10.99.0.0/22", "ServerCertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/x",
      "AuthenticationOptions": [], "ConnectionLogOptions": {"Enabled": False}}),
    ("ec2", "create_ipam", "moto has no address management", {}),
    ("ec2", "create_local_gateway_route_table", "moto has no outposts", {"LocalGatewayId": "lgw-1"}),
    ("ec2", "create_network_insights_path", "moto has no network insights",
     {"Source": "i-1", "Destination": "i-2", "Protocol": "tcp", "ClientToken": "x"}),
    ("ec2", "create_verified_access_instance", "moto has no verified access", {}),
    ("ec2", "create_instance_event_window", "moto has no event windows", {"CronExpression": "* 21-23 * * 2,3"}),
    ("ec2", "create_public_ipv4_pool", "moto has no address pools", {}),
]


def answered(aws):
    """The calls of the list that moto answers by now."""
    found = []
    for service, method, _, arguments in LACKING:
        try:
            getattr(aws.client(service, HOME), method)(**arguments)
        except ResponseParserError:
            # Moto answers what it lacks with an HTML page, where XML is due.
            continue
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if status >= 500 or error.response["Error"]["Code"] in ("NotImplemented", "500", "501"):
                continue
        found.append(f"{service}.{method}")
    return found
