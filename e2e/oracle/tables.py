"""Which calls of boto3 a table stands for: one line per table.

This list is written from the services' documentation, not from the connectors: it is the second opinion. A table
without a line is compared too where one plain call yields it (see `derive.py`).

`T(name, call, path)`: the call, and where in its answer the rows are. A call is for the service in the table's name.
    given   arguments of the call that are always the same
    of      the parent table
    using   arguments that come from the parent's item
    none    errors that mean "there is none"
    arn     the end of the row's ARN, where the API does not return one
    more    further calls for the row: (prefix of the column, call, path, arguments from the item, errors, condition)
    rules   columns that no call returns: what they hold, or None where only headwater can tell
    lacks   members of the answer that are no columns, on purpose
"""


import re

from canon import text_instant


class T:
    def __init__(
        self, name, call, path, given=None, of=None, using=None, none=(), arn=None, more=(), rules=None, lacks=()
    ):
        self.name, self.call, self.path = name, call, path
        self.given, self.of, self.using, self.none = given or {}, of, using or {}, none
        self.arn, self.more, self.rules, self.lacks = arn, more, rules or {}, lacks
        self.service = name.split("_")[1]
        self.regional = self.service == "ec2"
        self.derived = False


def more(prefix, call, path, using, none=(), when=lambda item: True):
    return (prefix, call, path, using, none, when)


def location(item):
    """S3 says nothing of the region that it began in."""
    return item.further.get("LocationConstraint", (None, None))[1] or "us-east-1"


def transition(item):
    """The time in a reason such as `User initiated (2026-11-21 08:59:02 UTC)`."""
    found = re.search(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (GMT|UTC)\)", item.value.get("StateTransitionReason", ""))
    return text_instant(found.group(1)) if found else None


def own(item):
    """Whether a policy is the account's own."""
    return not item.value["Arn"].startswith("arn:aws:iam::aws:")


BUCKET = {"Bucket": "Name"}
USER, GROUP, ROLE = {"UserName": "UserName"}, {"GroupName": "GroupName"}, {"RoleName": "RoleName"}
OF_BUCKET = {"bucket_arn": "arn:aws:s3:::{parent[Name]}"}
BY_HASH = {**OF_BUCKET, "hash": None}
OF_USER, OF_GROUP, OF_ROLE = {"user_arn": "{parent[Arn]}"}, {"group_arn": "{parent[Arn]}"}, {"role_arn": "{parent[Arn]}"}
EC2 = "arn:aws:ec2:{region}:{account}:"

TABLES = [
    T("aws_ec2_account_attributes", "DescribeAccountAttributes", "AccountAttributes[]"),
    T("aws_ec2_carrier_gateways", "DescribeCarrierGateways", "CarrierGateways[]", arn="carrier-gateway/{CarrierGatewayId}"),
    T("aws_ec2_customer_gateways", "DescribeCustomerGateways", "CustomerGateways[]", arn="customer-gateway/{CustomerGatewayId}"),
    T("aws_ec2_dhcp_options", "DescribeDhcpOptions", "DhcpOptions[]", arn="dhcp-options/{DhcpOptionsId}"),
    T("aws_ec2_ebs_snapshot_attributes", "DescribeSnapshotAttribute", "", of="aws_ec2_ebs_snapshots", given={"Attribute": "createVolumePermission"}, using={"SnapshotId": "SnapshotId"}, rules={"snapshot_arn": EC2 + "snapshot/{SnapshotId}"}),
    T("aws_ec2_ebs_snapshots", "DescribeSnapshots", "Snapshots[]", given={"OwnerIds": ["self"]}, arn="snapshot/{SnapshotId}"),
    T("aws_ec2_ebs_volumes", "DescribeVolumes", "Volumes[]", arn="volume/{VolumeId}"),
    T("aws_ec2_egress_only_internet_gateways", "DescribeEgressOnlyInternetGateways", "EgressOnlyInternetGateways[]", arn="egress-only-internet-gateway/{EgressOnlyInternetGatewayId}"),
    T("aws_ec2_eips", "DescribeAddresses", "Addresses[]"),
    T("aws_ec2_fleets", "DescribeFleets", "Fleets[]", arn="fleet/{FleetId}"),
    T("aws_ec2_flow_logs", "DescribeFlowLogs", "FlowLogs[]", arn="vpc-flow-log/{FlowLogId}"),
    T("aws_ec2_hosts", "DescribeHosts", "Hosts[]", arn="dedicated-host/{HostId}"),
    T("aws_ec2_image_launch_permissions", "DescribeImageAttribute", "LaunchPermissions[]", of="aws_ec2_images", given={"Attribute": "launchPermission"}, using={"ImageId": "ImageId"}, rules={"image_arn": EC2 + "image/{parent[ImageId]}", "hash": None}),
    T("aws_ec2_images", "DescribeImages", "Images[]", given={"Owners": ["self"], "IncludeDeprecated": True}, arn="image/{ImageId}"),
    T("aws_ec2_instance_statuses", "DescribeInstanceStatus", "InstanceStatuses[]", given={"IncludeAllInstances": True}, arn="instance/{InstanceId}"),
    T("aws_ec2_instance_types", "DescribeInstanceTypes", "InstanceTypes[]"),
    T("aws_ec2_instances", "DescribeInstances", "Reservations[].Instances[]", arn="instance/{InstanceId}", rules={"state_transition_reason_time": transition}),
    T("aws_ec2_internet_gateways", "DescribeInternetGateways", "InternetGateways[]", arn="internet-gateway/{InternetGatewayId}"),
    T("aws_ec2_key_pairs", "DescribeKeyPairs", "KeyPairs[]", given={"IncludePublicKey": True}, arn="key-pair/{KeyPairId}"),
    T("aws_ec2_launch_template_versions", "DescribeLaunchTemplateVersions", "LaunchTemplateVersions[]", of="aws_ec2_launch_templates", using={"LaunchTemplateId": "LaunchTemplateId"}, rules={"arn": EC2 + "launch-template/{LaunchTemplateId}"}),
    T("aws_ec2_launch_templates", "DescribeLaunchTemplates", "LaunchTemplates[]", arn="launch-template/{LaunchTemplateId}"),
    T("aws_ec2_managed_prefix_lists", "DescribeManagedPrefixLists", "PrefixLists[]", rules={"arn": "{PrefixListArn}"}),
    T("aws_ec2_nat_gateways", "DescribeNatGateways", "NatGateways[]", arn="natgateway/{NatGatewayId}"),
    T("aws_ec2_network_acls", "DescribeNetworkAcls", "NetworkAcls[]", arn="network-acl/{NetworkAclId}"),
    T("aws_ec2_network_interfaces", "DescribeNetworkInterfaces", "NetworkInterfaces[]", arn="network-interface/{NetworkInterfaceId}"),
    T("aws_ec2_route_tables", "DescribeRouteTables", "RouteTables[]", arn="route-table/{RouteTableId}"),
    T("aws_ec2_security_group_rules", "DescribeSecurityGroupRules", "SecurityGroupRules[]"),
    T("aws_ec2_security_groups", "DescribeSecurityGroups", "SecurityGroups[]", rules={"arn": "{SecurityGroupArn}"}),
    T("aws_ec2_snapshot_tier_statuses", "DescribeSnapshotTierStatus", "SnapshotTierStatuses[]"),
    T("aws_ec2_spot_fleet_instances", "DescribeSpotFleetInstances", "ActiveInstances[]", of="aws_ec2_spot_fleet_requests", using={"SpotFleetRequestId": "SpotFleetRequestId"}, rules={"spot_fleet_request_arn": EC2 + "spot-fleet-request/{parent[SpotFleetRequestId]}"}),
    T("aws_ec2_spot_fleet_requests", "DescribeSpotFleetRequests", "SpotFleetRequestConfigs[]", arn="spot-fleet-request/{SpotFleetRequestId}"),
    T("aws_ec2_spot_instance_requests", "DescribeSpotInstanceRequests", "SpotInstanceRequests[]", arn="spot-instances-request/{SpotInstanceRequestId}"),
    T("aws_ec2_subnets", "DescribeSubnets", "Subnets[]", rules={"arn": "{SubnetArn}"}),
    T("aws_ec2_traffic_mirror_filters", "DescribeTrafficMirrorFilters", "TrafficMirrorFilters[]", arn="traffic-mirror-filter/{TrafficMirrorFilterId}"),
    T("aws_ec2_traffic_mirror_sessions", "DescribeTrafficMirrorSessions", "TrafficMirrorSessions[]", arn="traffic-mirror-session/{TrafficMirrorSessionId}"),
    T("aws_ec2_traffic_mirror_targets", "DescribeTrafficMirrorTargets", "TrafficMirrorTargets[]", arn="traffic-mirror-target/{TrafficMirrorTargetId}"),
    T("aws_ec2_transit_gateway_attachments", "DescribeTransitGatewayAttachments", "TransitGatewayAttachments[]", arn="transit-gateway-attachment/{TransitGatewayAttachmentId}"),
    T("aws_ec2_transit_gateway_peering_attachments", "DescribeTransitGatewayPeeringAttachments", "TransitGatewayPeeringAttachments[]", arn="transit-gateway-attachment/{TransitGatewayAttachmentId}"),
    T("aws_ec2_transit_gateway_route_tables", "DescribeTransitGatewayRouteTables", "TransitGatewayRouteTables[]", arn="transit-gateway-route-table/{TransitGatewayRouteTableId}"),
    T("aws_ec2_transit_gateway_vpc_attachments", "DescribeTransitGatewayVpcAttachments", "TransitGatewayVpcAttachments[]", arn="transit-gateway-attachment/{TransitGatewayAttachmentId}"),
    T("aws_ec2_transit_gateways", "DescribeTransitGateways", "TransitGateways[]", rules={"arn": "{TransitGatewayArn}"}),
    T("aws_ec2_vpc_endpoint_service_configurations", "DescribeVpcEndpointServiceConfigurations", "ServiceConfigurations[]", arn="vpc-endpoint-service/{ServiceId}"),
    T("aws_ec2_vpc_endpoint_service_permissions", "DescribeVpcEndpointServicePermissions", "AllowedPrincipals[]", of="aws_ec2_vpc_endpoint_service_configurations", using={"ServiceId": "ServiceId"}, rules={"arn": EC2 + "vpc-endpoint-service/{parent[ServiceId]}"}),
    T("aws_ec2_vpc_endpoint_services", "DescribeVpcEndpointServices", "ServiceDetails[]"),
    T("aws_ec2_vpc_endpoints", "DescribeVpcEndpoints", "VpcEndpoints[]", arn="vpc-endpoint/{VpcEndpointId}"),
    T("aws_ec2_vpc_peering_connections", "DescribeVpcPeeringConnections", "VpcPeeringConnections[]", arn="vpc-peering-connection/{VpcPeeringConnectionId}"),
    T("aws_ec2_vpcs", "DescribeVpcs", "Vpcs[]", arn="vpc/{VpcId}"),
    T("aws_ec2_vpn_connections", "DescribeVpnConnections", "VpnConnections[]", arn="vpn-connection/{VpnConnectionId}"),
    T("aws_ec2_vpn_gateways", "DescribeVpnGateways", "VpnGateways[]", arn="vpn-gateway/{VpnGatewayId}"),
    T("aws_s3_buckets", "ListBuckets", "Buckets[]", rules={"arn": "arn:aws:s3:::{Name}", "region": location}, lacks=["BucketRegion", "BucketArn", "LocationConstraint"], more=[
        more("", "GetBucketLocation", "", BUCKET),
        more("", "GetBucketPolicy", "", BUCKET, ["NoSuchBucketPolicy"]),
        more("", "GetBucketPolicyStatus", "", BUCKET, ["NoSuchBucketPolicy"]),
        more("Versioning", "GetBucketVersioning", "", BUCKET),
        more("Logging", "GetBucketLogging", "LoggingEnabled", BUCKET),
        more("", "GetPublicAccessBlock", "PublicAccessBlockConfiguration", BUCKET, ["NoSuchPublicAccessBlockConfiguration"]),
        more("", "GetBucketOwnershipControls", "", BUCKET, ["OwnershipControlsNotFoundError"]),
        more("Replication", "GetBucketReplication", "ReplicationConfiguration", BUCKET, ["ReplicationConfigurationNotFoundError"]),
        more("", "GetBucketTagging", "", BUCKET, ["NoSuchTagSet"]),
    ]),
    T("aws_s3_bucket_cors_rules", "GetBucketCors", "CORSRules[]", of="aws_s3_buckets", using=BUCKET, none=["NoSuchCORSConfiguration"], rules=BY_HASH),
    T("aws_s3_bucket_encryption_rules", "GetBucketEncryption", "ServerSideEncryptionConfiguration.Rules[]", of="aws_s3_buckets", using=BUCKET, none=["ServerSideEncryptionConfigurationNotFoundError"], rules=BY_HASH),
    T("aws_s3_bucket_grants", "GetBucketAcl", "Grants[]", of="aws_s3_buckets", using=BUCKET, rules=BY_HASH),
    T("aws_s3_bucket_lifecycles", "GetBucketLifecycleConfiguration", "Rules[]", of="aws_s3_buckets", using=BUCKET, none=["NoSuchLifecycleConfiguration"], rules=BY_HASH),
    T("aws_s3_bucket_notification_configurations", "GetBucketNotificationConfiguration", "", of="aws_s3_buckets", using=BUCKET, rules=OF_BUCKET),
    T("aws_s3_bucket_object_lock_configurations", "GetObjectLockConfiguration", "ObjectLockConfiguration", of="aws_s3_buckets", using=BUCKET, none=["ObjectLockConfigurationNotFoundError"], rules=OF_BUCKET),
    T("aws_s3_bucket_websites", "GetBucketWebsite", "", of="aws_s3_buckets", using=BUCKET, none=["NoSuchWebsiteConfiguration"], rules=OF_BUCKET),
    T("aws_iam_users", "ListUsers", "Users[]", more=[more("", "GetUser", "User", USER)]),
    T("aws_iam_user_access_keys", "ListAccessKeys", "AccessKeyMetadata[]", of="aws_iam_users", using=USER, rules=OF_USER, more=[more("LastUsed", "GetAccessKeyLastUsed", "AccessKeyLastUsed", {"AccessKeyId": "AccessKeyId"})]),
    T("aws_iam_user_attached_policies", "ListAttachedUserPolicies", "AttachedPolicies[]", of="aws_iam_users", using=USER, rules=OF_USER),
    T("aws_iam_user_groups", "ListGroupsForUser", "Groups[]", of="aws_iam_users", using=USER, rules=OF_USER),
    T("aws_iam_user_policies", "ListUserPolicies", "PolicyNames[]", of="aws_iam_users", using=USER, rules=OF_USER, more=[more("", "GetUserPolicy", "", {"UserName": "parent.UserName", "PolicyName": "value"})]),
    T("aws_iam_user_mfa_devices", "ListMFADevices", "MFADevices[]", of="aws_iam_users", using=USER, rules=OF_USER),
    T("aws_iam_signing_certificates", "ListSigningCertificates", "Certificates[]", of="aws_iam_users", using=USER, rules=OF_USER),
    T("aws_iam_ssh_public_keys", "ListSSHPublicKeys", "SSHPublicKeys[]", of="aws_iam_users", using=USER, rules=OF_USER),
    T("aws_iam_groups", "ListGroups", "Groups[]"),
    T("aws_iam_group_attached_policies", "ListAttachedGroupPolicies", "AttachedPolicies[]", of="aws_iam_groups", using=GROUP, rules=OF_GROUP),
    T("aws_iam_group_policies", "ListGroupPolicies", "PolicyNames[]", of="aws_iam_groups", using=GROUP, rules=OF_GROUP, more=[more("", "GetGroupPolicy", "", {"GroupName": "parent.GroupName", "PolicyName": "value"})]),
    T("aws_iam_roles", "ListRoles", "Roles[]", more=[more("", "GetRole", "Role", ROLE)]),
    T("aws_iam_role_attached_policies", "ListAttachedRolePolicies", "AttachedPolicies[]", of="aws_iam_roles", using=ROLE, rules=OF_ROLE),
    T("aws_iam_role_policies", "ListRolePolicies", "PolicyNames[]", of="aws_iam_roles", using=ROLE, rules=OF_ROLE, more=[more("", "GetRolePolicy", "", {"RoleName": "parent.RoleName", "PolicyName": "value"})]),
    T("aws_iam_policies", "GetAccountAuthorizationDetails", "Policies[]", given={"Filter": ["LocalManagedPolicy", "AWSManagedPolicy"]}, more=[more("", "ListPolicyTags", "", {"PolicyArn": "Arn"}, when=own)], lacks=["IsTruncated"]),
    T("aws_iam_instance_profiles", "ListInstanceProfiles", "InstanceProfiles[]", more=[more("", "GetInstanceProfile", "InstanceProfile", {"InstanceProfileName": "InstanceProfileName"})]),
    T("aws_iam_openid_connect_identity_providers", "ListOpenIDConnectProviders", "OpenIDConnectProviderList[]", more=[more("", "GetOpenIDConnectProvider", "", {"OpenIDConnectProviderArn": "Arn"})]),
    T("aws_iam_saml_identity_providers", "ListSAMLProviders", "SAMLProviderList[]", more=[more("", "GetSAMLProvider", "", {"SAMLProviderArn": "Arn"})]),
    T("aws_iam_server_certificates", "ListServerCertificates", "ServerCertificateMetadataList[]"),
    T("aws_iam_password_policies", "GetAccountPasswordPolicy", "PasswordPolicy", none=["NoSuchEntity"]),
    T("aws_iam_virtual_mfa_devices", "ListVirtualMFADevices", "VirtualMFADevices[]"),
]
BY_NAME = {table.name: table for table in TABLES}
