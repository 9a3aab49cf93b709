"""Networks: VPCs with all that hangs from them, and what joins them to each other and to the offices."""

from aws import ABROAD, ACCOUNT, HOME, tagged, tags

# Name, address range and whether it has IPv6 addresses too.
NETWORKS = {
    HOME: [("production", "10.10.0.0/16", True), ("staging", "10.20.0.0/16", False), ("sandbox", "10.30.0.0/16", False)],
    ABROAD: [("production", "10.40.0.0/16", True), ("staging", "10.50.0.0/16", False)],
}
OFFICES = [("Zurich", "192.0.2.0/24", "192.0.2.1"), ("Lisbon", "198.51.100.0/24", "198.51.100.1")]


class Network:
    """The ids of one VPC and of what the other parts of the estate put into it."""

    def __init__(self, name, region):
        self.name = name
        self.region = region
        self.vpc = None
        self.public = []
        self.private = []
        self.private_table = None
        self.groups = {}


def build(aws):
    """Builds all networks, and answers with them by region and name."""
    networks = {}
    for region, plans in NETWORKS.items():
        ec2 = aws.client("ec2", region)
        shared = share(ec2)
        for name, cidr, ipv6 in plans:
            networks[region, name] = network(ec2, region, name, cidr, ipv6, shared)
        offices(ec2, networks[region, "production"])
        services(aws, region, networks[region, "production"])
        flow_logs(ec2, [networks[region, name] for name, _, _ in plans])
    for region in NETWORKS:
        peer(aws, networks[region, "production"], networks[region, "staging"])
    peer(aws, networks[HOME, "production"], networks[ABROAD, "production"])
    gateways = {region: transit(aws, region, networks) for region in NETWORKS}
    attachment = aws.client("ec2", HOME).create_transit_gateway_peering_attachment(
        TransitGatewayId=gateways[HOME],
        PeerTransitGatewayId=gateways[ABROAD],
        PeerAccountId=ACCOUNT,
        PeerRegion=ABROAD,
        TagSpecifications=tagged("transit-gateway-attachment", "transatlantic"),
    )["TransitGatewayPeeringAttachment"]["TransitGatewayAttachmentId"]
    aws.client("ec2", ABROAD).accept_transit_gateway_peering_attachment(TransitGatewayAttachmentId=attachment)
    return networks


def share(ec2):
    """What the networks of a region share: the offices' addresses and the names that hosts look up."""
    prefixes = ec2.create_managed_prefix_list(
        PrefixListName="offices",
        AddressFamily="IPv4",
        MaxEntries=10,
        Entries=[{"Cidr": cidr, "Description": place} for place, cidr, _ in OFFICES],
        TagSpecifications=tagged("prefix-list", "offices"),
    )["PrefixList"]["PrefixListId"]
    options = ec2.create_dhcp_options(
        DhcpConfigurations=[
            {"Key": "domain-name", "Values": ["corp.example.com"]},
            {"Key": "domain-name-servers", "Values": ["10.10.0.2", "AmazonProvidedDNS"]},
            {"Key": "ntp-servers", "Values": ["169.254.169.123"]},
        ],
        TagSpecifications=tagged("dhcp-options", "corporate"),
    )["DhcpOptions"]["DhcpOptionsId"]
    return {"prefixes": prefixes, "options": options}


def network(ec2, region, name, cidr, ipv6, shared):
    """One VPC: three public and three private subnets with their ways out, its rules and its endpoints."""
    made = Network(name, region)
    vpc = ec2.create_vpc(
        CidrBlock=cidr, AmazonProvidedIpv6CidrBlock=ipv6, TagSpecifications=tagged("vpc", name, Environment=name)
    )["Vpc"]
    made.vpc = vpc["VpcId"]
    ec2.modify_vpc_attribute(VpcId=made.vpc, EnableDnsHostnames={"Value": True})
    ec2.associate_dhcp_options(VpcId=made.vpc, DhcpOptionsId=shared["options"])
    prefix = ".".join(cidr.split(".")[:2])
    if name == "production":
        ec2.associate_vpc_cidr_block(VpcId=made.vpc, CidrBlock=f"100.{64 if region == HOME else 65}.0.0/16")
    for index, zone in enumerate("abc"):
        for kind, third, ids in (("public", index, made.public), ("private", 10 + index, made.private)):
            subnet = ec2.create_subnet(
                VpcId=made.vpc,
                CidrBlock=f"{prefix}.{third}.0/24",
                AvailabilityZone=f"{region}{zone}",
                TagSpecifications=tagged("subnet", f"{name}-{kind}-{zone}", Tier=kind, Environment=name),
            )["Subnet"]["SubnetId"]
            if kind == "public":
                ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
            ids.append(subnet)
    if ipv6:
        block = vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
        ec2.associate_subnet_cidr_block(SubnetId=made.public[0], Ipv6CidrBlock=block.replace("/56", "/64"))
    routes(ec2, made, ipv6)
    made.groups = groups(ec2, made, shared["prefixes"])
    access(ec2, made, prefix)
    endpoints(ec2, made)
    return made


def routes(ec2, made, ipv6):
    """Ways out: an internet gateway for what is public, a NAT gateway for what is private, IPv6 outwards only."""
    internet = ec2.create_internet_gateway(TagSpecifications=tagged("internet-gateway", made.name))
    internet = internet["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=internet, VpcId=made.vpc)
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip", f"{made.name}-nat"))
    nat = ec2.create_nat_gateway(
        SubnetId=made.public[0],
        AllocationId=address["AllocationId"],
        TagSpecifications=tagged("natgateway", f"{made.name}-a", Environment=made.name),
    )["NatGateway"]["NatGatewayId"]
    if made.name == "production":
        ec2.create_nat_gateway(
            SubnetId=made.private[1],
            ConnectivityType="private",
            TagSpecifications=tagged("natgateway", "production-internal"),
        )
    public = table(ec2, made, "public", made.public)
    ec2.create_route(RouteTableId=public, DestinationCidrBlock="0.0.0.0/0", GatewayId=internet)
    made.private_table = table(ec2, made, "private", made.private)
    ec2.create_route(RouteTableId=made.private_table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    if ipv6:
        outwards = ec2.create_egress_only_internet_gateway(
            VpcId=made.vpc, TagSpecifications=tagged("egress-only-internet-gateway", made.name)
        )["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
        ec2.create_route(
            RouteTableId=made.private_table, DestinationIpv6CidrBlock="::/0", EgressOnlyInternetGatewayId=outwards
        )
    if made.name == "sandbox":
        ec2.create_carrier_gateway(VpcId=made.vpc, TagSpecifications=tagged("carrier-gateway", "sandbox-edge"))


def table(ec2, made, kind, subnets):
    """A route table that the subnets use."""
    made_table = ec2.create_route_table(
        VpcId=made.vpc, TagSpecifications=tagged("route-table", f"{made.name}-{kind}", Tier=kind)
    )["RouteTable"]["RouteTableId"]
    for subnet in subnets:
        ec2.associate_route_table(RouteTableId=made_table, SubnetId=subnet)
    return made_table


def groups(ec2, made, prefixes):
    """Security groups whose rules name networks, prefix lists and each other."""
    made_groups = {}
    for name, says in (
        ("bastion", "SSH from the offices"),
        ("web", "HTTPS from everywhere"),
        ("app", "What the web servers call"),
        ("database", "PostgreSQL from the applications"),
    ):
        made_groups[name] = ec2.create_security_group(
            GroupName=f"{made.name}-{name}",
            Description=says,
            VpcId=made.vpc,
            TagSpecifications=tagged("security-group", f"{made.name}-{name}", Environment=made.name),
        )["GroupId"]
    tcp = lambda port, **source: {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **source}
    fellow = lambda name, says: {
        "UserIdGroupPairs": [{"GroupId": made_groups[name], "UserId": ACCOUNT, "Description": says}]
    }
    everywhere = {
        "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "the internet"}],
        "Ipv6Ranges": [{"CidrIpv6": "::/0", "Description": "the internet"}],
    }
    rules = {
        "bastion": [tcp(22, PrefixListIds=[{"PrefixListId": prefixes, "Description": "the offices"}])],
        "web": [tcp(80, **everywhere), tcp(443, **everywhere)],
        "app": [tcp(8080, **fellow("web", "web servers")), tcp(22, **fellow("bastion", "bastions"))],
        "database": [tcp(5432, **fellow("app", "applications"))],
    }
    for name, permissions in rules.items():
        ec2.authorize_security_group_ingress(
            GroupId=made_groups[name],
            IpPermissions=permissions,
            TagSpecifications=tagged("security-group-rule", f"{name}-in"),
        )
    ec2.revoke_security_group_egress(
        GroupId=made_groups["database"], IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    )
    ec2.authorize_security_group_egress(
        GroupId=made_groups["database"], IpPermissions=[tcp(443, IpRanges=[{"CidrIp": "10.0.0.0/8"}])]
    )
    return made_groups


def access(ec2, made, prefix):
    """A network access list for the private subnets."""
    acl = ec2.create_network_acl(
        VpcId=made.vpc, TagSpecifications=tagged("network-acl", f"{made.name}-private", Tier="private")
    )["NetworkAcl"]["NetworkAclId"]
    for egress in (False, True):
        ec2.create_network_acl_entry(
            NetworkAclId=acl,
            RuleNumber=100,
            Protocol="6",
            PortRange={"From": 1024, "To": 65535},
            RuleAction="allow",
            Egress=egress,
            CidrBlock=f"{prefix}.0.0/16",
        )
        ec2.create_network_acl_entry(
            NetworkAclId=acl, RuleNumber=200, Protocol="-1", RuleAction="deny", Egress=egress, CidrBlock="0.0.0.0/0"
        )
    own = [{"Name": "association.subnet-id", "Values": [made.private[0]]}]
    for association in ec2.describe_network_acls(Filters=own)["NetworkAcls"][0]["Associations"]:
        if association["SubnetId"] == made.private[0]:
            ec2.replace_network_acl_association(
                AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl
            )


def endpoints(ec2, made):
    """Private ways to AWS's own services."""
    policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}]}'
    ec2.create_vpc_endpoint(
        VpcId=made.vpc,
        ServiceName=f"com.amazonaws.{made.region}.s3",
        VpcEndpointType="Gateway",
        RouteTableIds=[made.private_table],
        PolicyDocument=policy,
        TagSpecifications=tagged("vpc-endpoint", f"{made.name}-s3"),
    )
    if made.name != "production":
        return
    for service in ("ssm", "ec2messages", "secretsmanager"):
        ec2.create_vpc_endpoint(
            VpcId=made.vpc,
            ServiceName=f"com.amazonaws.{made.region}.{service}",
            VpcEndpointType="Interface",
            SubnetIds=made.private,
            SecurityGroupIds=[made.groups["app"]],
            PrivateDnsEnabled=True,
            TagSpecifications=tagged("vpc-endpoint", f"{made.name}-{service}"),
        )


def offices(ec2, made):
    """The offices' VPN."""
    gateway = ec2.create_vpn_gateway(
        Type="ipsec.1", AmazonSideAsn=64512, TagSpecifications=tagged("vpn-gateway", "offices")
    )["VpnGateway"]["VpnGatewayId"]
    ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=made.vpc)
    for index, (place, cidr, address) in enumerate(OFFICES):
        customer = ec2.create_customer_gateway(
            Type="ipsec.1",
            BgpAsn=65000 + index,
            PublicIp=address,
            TagSpecifications=tagged("customer-gateway", place, Network=cidr),
        )["CustomerGateway"]["CustomerGatewayId"]
        ec2.create_vpn_connection(
            Type="ipsec.1",
            CustomerGatewayId=customer,
            VpnGatewayId=gateway,
            Options={"StaticRoutesOnly": True},
            TagSpecifications=tagged("vpn-connection", place),
        )


def services(aws, region, made):
    """A service of our own behind a load balancer, offered to other accounts."""
    balancer = aws.client("elbv2", region).create_load_balancer(
        Name="ledger", Type="network", Scheme="internal", Subnets=made.private
    )["LoadBalancers"][0]["LoadBalancerArn"]
    ec2 = aws.client("ec2", region)
    service = ec2.create_vpc_endpoint_service_configuration(
        NetworkLoadBalancerArns=[balancer],
        AcceptanceRequired=True,
        TagSpecifications=tagged("vpc-endpoint-service", "ledger"),
    )["ServiceConfiguration"]["ServiceId"]
    ec2.modify_vpc_endpoint_service_permissions(
        ServiceId=service,
        AddAllowedPrincipals=["arn:aws:iam::111111111111:root", "arn:aws:iam::222222222222:root"],
    )


def flow_logs(ec2, made):
    """Flow logs: the networks' to a bucket, production's rejected packets to CloudWatch too."""
    ec2.create_flow_logs(
        ResourceType="VPC",
        ResourceIds=[one.vpc for one in made],
        TrafficType="ALL",
        LogDestinationType="s3",
        LogDestination="arn:aws:s3:::headwater-demo-flow-logs",
        MaxAggregationInterval=60,
        TagSpecifications=tagged("vpc-flow-log", "all-traffic"),
    )
    ec2.create_flow_logs(
        ResourceType="Subnet",
        ResourceIds=made[0].public[:1],
        TrafficType="REJECT",
        LogDestinationType="cloud-watch-logs",
        LogGroupName="/network/rejected",
        DeliverLogsPermissionArn=f"arn:aws:iam::{ACCOUNT}:role/flow-logs",
        TagSpecifications=tagged("vpc-flow-log", "rejected"),
    )


def peer(aws, one, other):
    """Joins two networks, and routes what is private in the one to the other."""
    ec2 = aws.client("ec2", one.region)
    connection = ec2.create_vpc_peering_connection(
        VpcId=one.vpc,
        PeerVpcId=other.vpc,
        PeerRegion=other.region,
        TagSpecifications=tagged("vpc-peering-connection", f"{one.name}-{other.name}"),
    )["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    aws.client("ec2", other.region).accept_vpc_peering_connection(VpcPeeringConnectionId=connection)
    block = next(cidr for name, cidr, _ in NETWORKS[other.region] if name == other.name)
    ec2.create_route(
        RouteTableId=one.private_table, DestinationCidrBlock=block, VpcPeeringConnectionId=connection
    )


def transit(aws, region, networks):
    """A transit gateway that all networks of a region hang from, with a route table of its own."""
    ec2 = aws.client("ec2", region)
    gateway = ec2.create_transit_gateway(
        Description="All networks of the region",
        Options={"AmazonSideAsn": 64600, "DnsSupport": "enable", "DefaultRouteTableAssociation": "disable"},
        TagSpecifications=tagged("transit-gateway", "backbone"),
    )["TransitGateway"]["TransitGatewayId"]
    attachments = []
    for (where, name), made in networks.items():
        if where == region:
            attachment = ec2.create_transit_gateway_vpc_attachment(
                TransitGatewayId=gateway,
                VpcId=made.vpc,
                SubnetIds=made.private,
                TagSpecifications=tagged("transit-gateway-attachment", name),
            )
            attachments.append(attachment["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"])
    routes_table = ec2.create_transit_gateway_route_table(
        TransitGatewayId=gateway, TagSpecifications=tagged("transit-gateway-route-table", "shared")
    )["TransitGatewayRouteTable"]["TransitGatewayRouteTableId"]
    for attachment in attachments:
        ec2.associate_transit_gateway_route_table(
            TransitGatewayRouteTableId=routes_table, TransitGatewayAttachmentId=attachment
        )
        ec2.enable_transit_gateway_route_table_propagation(
            TransitGatewayRouteTableId=routes_table, TransitGatewayAttachmentId=attachment
        )
    ec2.create_transit_gateway_route(
        DestinationCidrBlock="192.0.2.0/24",
        TransitGatewayRouteTableId=routes_table,
        TransitGatewayAttachmentId=attachments[0],
    )
    return gateway
