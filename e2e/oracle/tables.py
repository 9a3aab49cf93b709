"""Which calls of boto3 a table stands for: one line per table.

This list is written from the API's documentation, not from the connectors: it is the second opinion.

`T(name, call, path)`: the call, and where in its answer the rows are. A call is for the service in the table's name.
    given   arguments of the call that are always the same
    of      the parent table
    using   arguments that come from the parent's item
    none    errors that mean "there is none"
    arn     the end of the row's ARN, where the API does not return one
    more    further calls for the row: (prefix of the column, call, path, arguments from the item, errors)
    rules   columns that no call returns
    lacks   members of the answer that are no columns, on purpose
"""


class T:
    def __init__(
        self, name, call, path, given=None, of=None, using=None, none=(), arn=None, more=(), rules=None, lacks=()
    ):
        self.name, self.call, self.path = name, call, path
        self.given, self.of, self.using, self.none = given or {}, of, using or {}, none
        self.arn, self.more, self.rules, self.lacks = arn, more, rules or {}, lacks
        self.service = name.split("_")[1]
        self.regional = self.service == "ec2"


SELF = {"OwnerIds": ["self"]}
BUCKET = {"Bucket": "Name"}
USER, GROUP, ROLE = {"UserName": "UserName"}, {"GroupName": "GroupName"}, {"RoleName": "RoleName"}
OF_BUCKET = {"bucket_arn": "arn:aws:s3:::{parent[Name]}"}
OF_USER = {"user_arn": "{parent[Arn]}", "user_name": "{parent[UserName]}", "user_id": "{parent[UserId]}"}
OF_GROUP = {"group_arn": "{parent[Arn]}", "group_name": "{parent[GroupName]}", "group_id": "{parent[GroupId]}"}
OF_ROLE = {"role_arn": "{parent[Arn]}", "role_name": "{parent[RoleName]}", "role_id": "{parent[RoleId]}"}

TABLES = [
    T("aws_ec2_account_attributes", "DescribeAccountAttributes", "AccountAttributes[]"),
    T("aws_ec2_carrier_gateways", "DescribeCarrierGateways", "CarrierGateways[]", arn="carrier-gateway/{CarrierGatewayId}"),
    T("aws_ec2_customer_gateways", "DescribeCustomerGateways", "CustomerGateways[]", arn="customer-gateway/{CustomerGatewayId}"),
    T("aws_ec2_dhcp_options", "DescribeDhcpOptions", "DhcpOptions[]", arn="dhcp-options/{DhcpOptionsId}"),
    T("aws_ec2_ebs_snapshots", "DescribeSnapshots", "Snapshots[]", given=SELF, arn="snapshot/{SnapshotId}"),
    T("aws_ec2_ebs_volumes", "DescribeVolumes", "Volumes[]", arn="volume/{VolumeId}"),
    T("aws_ec2_egress_only_internet_gateways", "DescribeEgressOnlyInternetGateways", "EgressOnlyInternetGateways[]", arn="egress-only-internet-gateway/{EgressOnlyInternetGatewayId}"),
    T("aws_ec2_eips", "DescribeAddresses", "Addresses[]", arn="elastic-ip/{AllocationId}"),
    T("aws_ec2_fleets", "DescribeFleets", "Fleets[]", arn="fleet/{FleetId}"),
    T("aws_ec2_flow_logs", "DescribeFlowLogs", "FlowLogs[]", arn="vpc-flow-log/{FlowLogId}"),
    T("aws_ec2_hosts", "DescribeHosts", "Hosts[]", arn="dedicated-host/{HostId}"),
    T("aws_ec2_images", "DescribeImages", "Images[]", given={"Owners": ["self"]}, arn="image/{ImageId}"),
    T("aws_ec2_instance_statuses", "DescribeInstanceStatus", "InstanceStatuses[]", arn="instance/{InstanceId}"),
    T("aws_ec2_instance_types", "DescribeInstanceTypes", "InstanceTypes[]", arn="instance-type/{InstanceType}"),
    T("aws_ec2_instances", "DescribeInstances", "Reservations[].Instances[]", arn="instance/{InstanceId}"),
    T("aws_ec2_internet_gateways", "DescribeInternetGateways", "InternetGateways[]", arn="internet-gateway/{InternetGatewayId}"),
    T("aws_ec2_key_pairs", "DescribeKeyPairs", "KeyPairs[]", arn="key-pair/{KeyPairId}"),
    T("aws_ec2_launch_template_versions", "DescribeLaunchTemplateVersions", "LaunchTemplateVersions[]", of="aws_ec2_launch_templates", using={"LaunchTemplateId": "LaunchTemplateId"}),
    T("aws_ec2_launch_templates", "DescribeLaunchTemplates", "LaunchTemplates[]", arn="launch-template/{LaunchTemplateId}"),
    T("aws_ec2_managed_prefix_lists", "DescribeManagedPrefixLists", "PrefixLists[]"),
    T("aws_ec2_nat_gateways", "DescribeNatGateways", "NatGateways[]", arn="natgateway/{NatGatewayId}"),
    T("aws_ec2_network_acls", "DescribeNetworkAcls", "NetworkAcls[]", arn="network-acl/{NetworkAclId}"),
    T("aws_ec2_network_interfaces", "DescribeNetworkInterfaces", "NetworkInterfaces[]", arn="network-interface/{NetworkInterfaceId}"),
    T("aws_ec2_route_tables", "DescribeRouteTables", "RouteTables[]", arn="route-table/{RouteTableId}"),
    T("aws_ec2_security_group_rules", "DescribeSecurityGroupRules", "SecurityGroupRules[]"),
    T("aws_ec2_security_groups", "DescribeSecurityGroups", "SecurityGroups[]", arn="security-group/{GroupId}"),
    T("aws_ec2_snapshot_tier_statuses", "DescribeSnapshotTierStatus", "SnapshotTierStatuses[]"),
    T("aws_ec2_spot_fleet_instances", "DescribeSpotFleetInstances", "ActiveInstances[]", of="aws_ec2_spot_fleet_requests", using={"SpotFleetRequestId": "SpotFleetRequestId"}),
    T("aws_ec2_spot_fleet_requests", "DescribeSpotFleetRequests", "SpotFleetRequestConfigs[]", arn="spot-fleet-request/{SpotFleetRequestId}"),
    T("aws_ec2_spot_instance_requests", "DescribeSpotInstanceRequests", "SpotInstanceRequests[]", arn="spot-instances-request/{SpotInstanceRequestId}"),
    T("aws_ec2_subnets", "DescribeSubnets", "Subnets[]"),
    T("aws_ec2_traffic_mirror_filters", "DescribeTrafficMirrorFilters", "TrafficMirrorFilters[]", arn="traffic-mirror-filter/{TrafficMirrorFilterId}"),
    T("aws_ec2_traffic_mirror_sessions", "DescribeTrafficMirrorSessions", "TrafficMirrorSessions[]", arn="traffic-mirror-session/{TrafficMirrorSessionId}"),
    T("aws_ec2_traffic_mirror_targets", "DescribeTrafficMirrorTargets", "TrafficMirrorTargets[]", arn="traffic-mirror-target/{TrafficMirrorTargetId}"),
    T("aws_ec2_transit_gateway_attachments", "DescribeTransitGatewayAttachments", "TransitGatewayAttachments[]", arn="transit-gateway-attachment/{TransitGatewayAttachmentId}"),
    T("aws_ec2_transit_gateway_peering_attachments", "DescribeTransitGatewayPeeringAttachments", "TransitGatewayPeeringAttachments[]", arn="transit-gateway-attachment/{TransitGatewayAttachmentId}"),
    T("aws_ec2_transit_gateway_route_tables", "DescribeTransitGatewayRouteTables", "TransitGatewayRouteTables[]", arn="transit-gateway-route-table/{TransitGatewayRouteTableId}"),
    T("aws_ec2_transit_gateway_vpc_attachments", "DescribeTransitGatewayVpcAttachments", "TransitGatewayVpcAttachments[]", arn="transit-gateway-attachment/{TransitGatewayAttachmentId}"),
    T("aws_ec2_transit_gateways", "DescribeTransitGateways", "TransitGateways[]"),
    T("aws_ec2_vpc_endpoint_service_configurations", "DescribeVpcEndpointServiceConfigurations", "ServiceConfigurations[]", arn="vpc-endpoint-service/{ServiceId}"),
    T("aws_ec2_vpc_endpoint_service_permissions", "DescribeVpcEndpointServicePermissions", "AllowedPrincipals[]", of="aws_ec2_vpc_endpoint_service_configurations", using={"ServiceId": "ServiceId"}),
    T("aws_ec2_vpc_endpoints", "DescribeVpcEndpoints", "VpcEndpoints[]", arn="vpc-endpoint/{VpcEndpointId}"),
    T("aws_ec2_vpc_peering_connections", "DescribeVpcPeeringConnections", "VpcPeeringConnections[]", arn="vpc-peering-connection/{VpcPeeringConnectionId}"),
    T("aws_ec2_vpcs", "DescribeVpcs", "Vpcs[]", arn="vpc/{VpcId}"),
    T("aws_ec2_vpn_connections", "DescribeVpnConnections", "VpnConnections[]", arn="vpn-connection/{VpnConnectionId}"),
    T("aws_ec2_vpn_gateways", "DescribeVpnGateways", "VpnGateways[]", arn="vpn-gateway/{VpnGatewayId}"),
    T("aws_s3_buckets", "ListBuckets", "Buckets[]"),
    T("aws_s3_bucket_cors_rules", "GetBucketCors", "CORSRules[]", of="aws_s3_buckets", using=BUCKET, none=["NoSuchCORSConfiguration"], rules=OF_BUCKET),
    T("aws_s3_bucket_encryption_rules", "GetBucketEncryption", "ServerSideEncryptionConfiguration.Rules[]", of="aws_s3_buckets", using=BUCKET, none=["ServerSideEncryptionConfigurationNotFoundError"], rules=OF_BUCKET),
    T("aws_s3_bucket_grants", "GetBucketAcl", "Grants[]", of="aws_s3_buckets", using=BUCKET, rules=OF_BUCKET),
    T("aws_s3_bucket_lifecycles", "GetBucketLifecycleConfiguration", "Rules[]", of="aws_s3_buckets", using=BUCKET, none=["NoSuchLifecycleConfiguration"], rules=OF_BUCKET),
    T("aws_s3_bucket_notification_configurations", "GetBucketNotificationConfiguration", "", of="aws_s3_buckets", using=BUCKET, rules=OF_BUCKET),
    T("aws_s3_bucket_object_lock_configurations", "GetObjectLockConfiguration", "ObjectLockConfiguration", of="aws_s3_buckets", using=BUCKET, none=["ObjectLockConfigurationNotFoundError"], rules=OF_BUCKET),
    T("aws_s3_bucket_websites", "GetBucketWebsite", "", of="aws_s3_buckets", using=BUCKET, none=["NoSuchWebsiteConfiguration"], rules=OF_BUCKET),
    T("aws_iam_users", "ListUsers", "Users[]"),
    T("aws_iam_user_access_keys", "ListAccessKeys", "AccessKeyMetadata[]", of="aws_iam_users", using=USER, rules=OF_USER),
    T("aws_iam_user_attached_policies", "ListAttachedUserPolicies", "AttachedPolicies[]", of="aws_iam_users", using=USER, rules=OF_USER),
    T("aws_iam_user_groups", "ListGroupsForUser", "Groups[]", of="aws_iam_users", using=USER, rules=OF_USER),
    T("aws_iam_user_policies", "ListUserPolicies", "PolicyNames[]", of="aws_iam_users", using=USER, more=[("", "GetUserPolicy", "", {"UserName": "parent.UserName", "PolicyName": "value"}, [])], rules=OF_USER),
    T("aws_iam_user_mfa_devices", "ListMFADevices", "MFADevices[]", of="aws_iam_users", using=USER, rules=OF_USER),
    T("aws_iam_signing_certificates", "ListSigningCertificates", "Certificates[]", of="aws_iam_users", using=USER, rules=OF_USER),
    T("aws_iam_ssh_public_keys", "ListSSHPublicKeys", "SSHPublicKeys[]", of="aws_iam_users", using=USER, rules=OF_USER),
    T("aws_iam_groups", "ListGroups", "Groups[]"),
    T("aws_iam_group_attached_policies", "ListAttachedGroupPolicies", "AttachedPolicies[]", of="aws_iam_groups", using=GROUP, rules=OF_GROUP),
    T("aws_iam_group_policies", "ListGroupPolicies", "PolicyNames[]", of="aws_iam_groups", using=GROUP, more=[("", "GetGroupPolicy", "", {"GroupName": "parent.GroupName", "PolicyName": "value"}, [])], rules=OF_GROUP),
    T("aws_iam_roles", "ListRoles", "Roles[]"),
    T("aws_iam_role_attached_policies", "ListAttachedRolePolicies", "AttachedPolicies[]", of="aws_iam_roles", using=ROLE, rules=OF_ROLE),
    T("aws_iam_role_policies", "ListRolePolicies", "PolicyNames[]", of="aws_iam_roles", using=ROLE, more=[("", "GetRolePolicy", "", {"RoleName": "parent.RoleName", "PolicyName": "value"}, [])], rules=OF_ROLE),
    T("aws_iam_policies", "ListPolicies", "Policies[]"),
    T("aws_iam_policy_versions", "ListPolicyVersions", "Versions[]", of="aws_iam_policies", using={"PolicyArn": "Arn"}, rules={"policy_arn": "{parent[Arn]}"}),
    T("aws_iam_instance_profiles", "ListInstanceProfiles", "InstanceProfiles[]"),
    T("aws_iam_virtual_mfa_devices", "ListVirtualMFADevices", "VirtualMFADevices[]"),
    T("aws_iam_server_certificates", "ListServerCertificates", "ServerCertificateMetadataList[]"),
    T("aws_iam_saml_identity_providers", "ListSAMLProviders", "SAMLProviderList[]"),
    T("aws_iam_openid_connect_identity_providers", "ListOpenIDConnectProviders", "OpenIDConnectProviderList[]"),
    T("aws_iam_password_policies", "GetAccountPasswordPolicy", "PasswordPolicy", none=["NoSuchEntity"]),
    T("aws_iam_accounts", "GetAccountSummary", ""),
]
BY_NAME = {table.name: table for table in TABLES}
