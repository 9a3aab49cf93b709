"""Machines: fifty instances in two regions, and what they start from, run on and write to."""

from datetime import datetime, timedelta, timezone

from aws import ABROAD, ACCOUNT, HOME, tagged

# Network, role, how many, type, and whether they are in public subnets.
FLEET = {
    HOME: [
        ("production", "bastion", 1, "t3.micro", True),
        ("production", "web", 8, "c6i.large", True),
        ("production", "app", 10, "m6i.xlarge", False),
        ("production", "database", 3, "r6i.2xlarge", False),
        ("staging", "web", 3, "t3.medium", True),
        ("staging", "app", 4, "t3.large", False),
        ("staging", "database", 1, "r6i.large", False),
    ],
    ABROAD: [
        ("production", "bastion", 1, "t3.micro", True),
        ("production", "web", 6, "c6i.large", True),
        ("production", "app", 8, "m6i.xlarge", False),
        ("production", "database", 2, "r6i.2xlarge", False),
        ("staging", "app", 3, "t3.large", False),
    ],
}
TEAMS = {"bastion": "platform", "web": "storefront", "app": "orders", "database": "data"}
# A key whose private half nobody has.
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG5vYm9keSBoYXMgdGhlIHByaXZhdGUgaGFsZiBoZXJl operations"


def build(aws, networks):
    """Builds the machines, and answers with how many instances there are."""
    return sum(region_of(aws, region, networks) for region in FLEET)


def region_of(aws, region, networks):
    ec2 = aws.client("ec2", region)
    production = networks[region, "production"]
    image = base_image(ec2)
    ec2.import_key_pair(
        KeyName="operations", PublicKeyMaterial=KEY.encode(), TagSpecifications=tagged("key-pair", "operations")
    )
    ec2.create_key_pair(KeyName="break-glass", KeyType="rsa", TagSpecifications=tagged("key-pair", "break-glass"))
    template = templates(ec2, image, production)
    instances = {}
    for name, role, count, kind, public in FLEET[region]:
        made = networks[region, name]
        instances[name, role] = run(ec2, made, role, count, kind, public, image)
    everything = [one for ids in instances.values() for one in ids]
    attach(ec2, region, production, instances)
    states(ec2, instances)
    disks(ec2, region, instances["production", "database"], everything)
    spot(ec2, region, production, image, template)
    hosts(ec2, region)
    mirror(ec2, production)
    return len(everything)


def base_image(ec2):
    """What all machines start from: an image of our own."""
    return ec2.register_image(
        Name="base-linux-2026-10",
        Description="The distribution with our agents in it",
        Architecture="x86_64",
        VirtualizationType="hvm",
        RootDeviceName="/dev/sda1",
        EnaSupport=True,
        BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 30, "VolumeType": "gp3"}}],
        TagSpecifications=tagged("image", "base-linux"),
    )["ImageId"]


def templates(ec2, image, made):
    """Launch templates, one of them with a history."""
    data = {
        "ImageId": image,
        "InstanceType": "c6i.large",
        "KeyName": "operations",
        "SecurityGroupIds": [made.groups["web"]],
        "TagSpecifications": tagged("instance", "storefront-web", Role="web"),
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 30, "VolumeType": "gp3"}}],
    }
    web = ec2.create_launch_template(
        LaunchTemplateName="storefront-web",
        VersionDescription="first",
        LaunchTemplateData=data,
        TagSpecifications=tagged("launch-template", "storefront-web"),
    )["LaunchTemplate"]["LaunchTemplateId"]
    for says, kind in (("more memory", "m6i.large"), ("newer processor", "m7i.large")):
        ec2.create_launch_template_version(
            LaunchTemplateId=web,
            VersionDescription=says,
            SourceVersion="1",
            LaunchTemplateData={**data, "InstanceType": kind},
        )
    ec2.modify_launch_template(LaunchTemplateId=web, DefaultVersion="2")
    ec2.create_launch_template(
        LaunchTemplateName="batch-worker",
        LaunchTemplateData={"ImageId": image, "InstanceType": "c6i.4xlarge", "EbsOptimized": True},
        TagSpecifications=tagged("launch-template", "batch-worker"),
    )
    return web


def run(ec2, made, role, count, kind, public, image):
    """Starts instances, spread over the zones."""
    subnets = made.public if public else made.private
    ids = []
    for index in range(count):
        one = ec2.run_instances(
            ImageId=image,
            InstanceType=kind,
            KeyName="operations",
            MinCount=1,
            MaxCount=1,
            SubnetId=subnets[index % len(subnets)],
            SecurityGroupIds=[made.groups[role]],
            IamInstanceProfile={"Name": f"{role}-server"},
            Monitoring={"Enabled": made.name == "production"},
            MetadataOptions={"HttpTokens": "required", "HttpEndpoint": "enabled"},
            DisableApiTermination=role == "database",
            BlockDeviceMappings=[
                {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 30, "VolumeType": "gp3", "Encrypted": True}}
            ],
            UserData=f"#!/bin/sh\nhostnamectl set-hostname {made.name}-{role}-{index + 1}\n",
            TagSpecifications=tagged(
                "instance",
                f"{made.name}-{role}-{index + 1}",
                Environment=made.name,
                Role=role,
                Team=TEAMS[role],
                CostCenter=f"{4100 + len(role)}",
            ),
        )["Instances"][0]["InstanceId"]
        ids.append(one)
    return ids


def attach(ec2, region, made, instances):
    """Addresses and further interfaces."""
    bastion = instances["production", "bastion"][0]
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip", "bastion"))
    ec2.associate_address(InstanceId=bastion, AllocationId=address["AllocationId"])
    ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip", "spare"))
    interface = ec2.create_network_interface(
        SubnetId=made.private[0],
        Description="Replication between the databases",
        Groups=[made.groups["database"]],
        SecondaryPrivateIpAddressCount=2,
        TagSpecifications=tagged("network-interface", "replication"),
    )["NetworkInterface"]["NetworkInterfaceId"]
    ec2.attach_network_interface(
        NetworkInterfaceId=interface, InstanceId=instances["production", "database"][0], DeviceIndex=1
    )
    ec2.create_network_interface(
        SubnetId=made.public[1], Description="Unused", TagSpecifications=tagged("network-interface", "unused")
    )


def states(ec2, instances):
    """Not every machine runs: some are stopped, and one is gone."""
    ec2.stop_instances(InstanceIds=instances["staging", "app"][:2])
    ec2.terminate_instances(InstanceIds=instances["staging", "app"][2:3])


def disks(ec2, region, databases, everything):
    """Volumes for the databases, their snapshots, and an image of a whole machine."""
    for index, instance in enumerate(databases):
        zone = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["Placement"]
        volume = ec2.create_volume(
            AvailabilityZone=zone["AvailabilityZone"],
            Size=500,
            VolumeType="io2",
            Iops=6000,
            Encrypted=True,
            TagSpecifications=tagged("volume", f"database-{index + 1}", Backup="daily"),
        )["VolumeId"]
        ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
        snapshot = ec2.create_snapshot(
            VolumeId=volume,
            Description=f"Nightly of database-{index + 1}",
            TagSpecifications=tagged("snapshot", f"database-{index + 1}-nightly", Backup="daily"),
        )["SnapshotId"]
        if index == 0:
            ec2.modify_snapshot_attribute(
                SnapshotId=snapshot,
                Attribute="createVolumePermission",
                OperationType="add",
                UserIds=["111111111111"],
            )
            ec2.copy_snapshot(SourceRegion=region, SourceSnapshotId=snapshot, Description="A copy, kept for a year")
            ec2.modify_volume(VolumeId=volume, Size=750)
    free = ec2.create_volume(
        AvailabilityZone=f"{region}a",
        Size=100,
        VolumeType="gp3",
        Throughput=250,
        TagSpecifications=tagged("volume", "forgotten"),
    )["VolumeId"]
    archived = ec2.create_snapshot(VolumeId=free, Description="Before the migration")["SnapshotId"]
    ec2.modify_snapshot_tier(SnapshotId=archived, StorageTier="archive")
    image = ec2.create_image(
        InstanceId=everything[1],
        Name="storefront-web-2026-11",
        Description="A web server as it was rolled out",
        TagSpecifications=tagged("image", "storefront-web"),
    )["ImageId"]
    ec2.modify_image_attribute(
        ImageId=image, LaunchPermission={"Add": [{"UserId": "111111111111"}, {"UserId": "222222222222"}]}
    )


def spot(ec2, region, made, image, template):
    """Machines by auction: single requests, a fleet of the old kind and one of the new."""
    ec2.request_spot_instances(
        SpotPrice="0.05",
        InstanceCount=2,
        Type="one-time",
        LaunchSpecification={
            "ImageId": image,
            "InstanceType": "c6i.large",
            "KeyName": "operations",
            "Monitoring": {"Enabled": True},
            "SubnetId": made.private[0],
            "SecurityGroupIds": [made.groups["app"]],
        },
        TagSpecifications=tagged("spot-instances-request", "batch"),
    )
    ec2.request_spot_fleet(
        SpotFleetRequestConfig={
            "TargetCapacity": 2,
            "SpotPrice": "0.12",
            "AllocationStrategy": "lowestPrice",
            "IamFleetRole": f"arn:aws:iam::{ACCOUNT}:role/spot-fleet",
            "LaunchSpecifications": [
                {
                    "ImageId": image,
                    "InstanceType": "c6i.xlarge",
                    "SubnetId": made.private[1],
                    "KeyName": "operations",
                    "WeightedCapacity": 2.0,
                    "TagSpecifications": tagged("instance", "batch-fleet"),
                }
            ],
            "TagSpecifications": tagged("spot-fleet-request", "batch-fleet"),
        }
    )
    ec2.create_fleet(
        LaunchTemplateConfigs=[
            {"LaunchTemplateSpecification": {"LaunchTemplateId": template, "Version": "1"}, "Overrides": []}
        ],
        TargetCapacitySpecification={
            "TotalTargetCapacity": 1,
            "OnDemandTargetCapacity": 1,
            "SpotTargetCapacity": 0,
            "DefaultTargetCapacityType": "on-demand",
        },
        Type="maintain",
        ValidFrom=datetime(2026, 1, 1, tzinfo=timezone.utc),
        ValidUntil=datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(days=1000),
        TagSpecifications=tagged("fleet", "storefront"),
    )


def hosts(ec2, region):
    """Whole machines of our own."""
    ec2.allocate_hosts(
        AvailabilityZone=f"{region}a",
        InstanceType="r6i.2xlarge",
        Quantity=2,
        AutoPlacement="on",
        TagSpecifications=tagged("dedicated-host", "licensed"),
    )


def mirror(ec2, made):
    """Traffic that is copied to be looked into."""
    source, sink = (
        ec2.create_network_interface(
            SubnetId=made.private[2], Description=says, TagSpecifications=tagged("network-interface", says)
        )["NetworkInterface"]["NetworkInterfaceId"]
        for says in ("mirrored", "inspection")
    )
    rules = ec2.create_traffic_mirror_filter(
        Description="Everything inbound", TagSpecifications=tagged("traffic-mirror-filter", "inbound")
    )["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    target = ec2.create_traffic_mirror_target(
        NetworkInterfaceId=sink,
        Description="The inspection machine",
        TagSpecifications=tagged("traffic-mirror-target", "inspection"),
    )["TrafficMirrorTarget"]["TrafficMirrorTargetId"]
    ec2.create_traffic_mirror_session(
        NetworkInterfaceId=source,
        TrafficMirrorTargetId=target,
        TrafficMirrorFilterId=rules,
        SessionNumber=1,
        VirtualNetworkId=4711,
        Description="Inbound of the replica",
        TagSpecifications=tagged("traffic-mirror-session", "inbound"),
    )
