//! Amazon EC2.

#[rustfmt::skip]
pub mod generated;
mod special;

use aws_sdk_ec2::Client;
use headwater_aws_base::{REGIONAL, Scope, Scopes, Table};

use generated::*;
use headwater_sdk::Timestamp;

pub use special::regions;

/// EC2 answers for one region at a time.
pub const SCOPES: Scopes = REGIONAL;

/// Virtual machines.
#[derive(Table)]
#[table(name = "aws_ec2_instances", of = Instance, list = client.describe_instances(), key = arn)]
pub struct Instances {
    #[column(value = scope.arn("ec2", "instance", &row.instance_id))]
    arn: Option<String>,
    /// When the state was last changed, as far as the reason for it says so.
    #[column(value = row.state_transition_reason.as_deref().and_then(special::transition_time))]
    state_transition_reason_time: Option<Timestamp>,
}

/// Attributes of the account in the region, such as its default VPC.
#[derive(Table)]
#[table(name = "aws_ec2_account_attributes", of = AccountAttribute, list = client.describe_account_attributes(), key = [account_id, region, attribute_name])]
pub struct AccountAttributes;

/// Address ranges that were brought to AWS (BYOIP).
#[derive(Table)]
#[table(name = "aws_ec2_byoip_cidrs", of = ByoipCidr, list = client.describe_byoip_cidrs().max_results(100), key = [account_id, region, cidr])]
pub struct ByoipCidrs;

/// Reservations of compute capacity.
#[derive(Table)]
#[table(name = "aws_ec2_capacity_reservations", of = CapacityReservation, list = client.describe_capacity_reservations(), key = arn)]
pub struct CapacityReservations;

/// The customers' ends of VPN connections.
#[derive(Table)]
#[table(name = "aws_ec2_customer_gateways", of = CustomerGateway, list = client.describe_customer_gateways(), key = arn)]
pub struct CustomerGateways {
    #[column(value = scope.arn("ec2", "customer-gateway", &row.customer_gateway_id))]
    arn: Option<String>,
}

/// Sets of DHCP options.
#[derive(Table)]
#[table(name = "aws_ec2_dhcp_options", of = DhcpOptions, list = client.describe_dhcp_options(), key = arn)]
pub struct DhcpOptionSets {
    #[column(value = scope.arn("ec2", "dhcp-options", &row.dhcp_options_id))]
    arn: Option<String>,
}

/// Snapshots of EBS volumes that the account owns.
#[derive(Table)]
#[table(name = "aws_ec2_ebs_snapshots", of = Snapshot, list = client.describe_snapshots().owner_ids("self"), key = arn)]
pub struct EbsSnapshots {
    #[column(value = scope.arn("ec2", "snapshot", &row.snapshot_id))]
    arn: Option<String>,
}

/// States of EBS volumes: whether they can be read and written, and what is going to happen to them.
#[derive(Table)]
#[table(name = "aws_ec2_ebs_volume_statuses", of = VolumeStatusItem, list = client.describe_volume_status(), key = arn)]
pub struct EbsVolumeStatuses {
    #[column(value = scope.arn("ec2", "volume", &row.volume_id))]
    arn: Option<String>,
}

/// EBS volumes.
#[derive(Table)]
#[table(name = "aws_ec2_ebs_volumes", of = Volume, list = client.describe_volumes(), key = arn)]
pub struct EbsVolumes {
    #[column(value = scope.arn("ec2", "volume", &row.volume_id))]
    arn: Option<String>,
}

/// Gateways through which IPv6 traffic leaves a VPC but does not enter it.
#[derive(Table)]
#[table(name = "aws_ec2_egress_only_internet_gateways", of = EgressOnlyInternetGateway, list = client.describe_egress_only_internet_gateways(), key = arn)]
pub struct EgressOnlyInternetGateways {
    #[column(value = scope.arn("ec2", "egress-only-internet-gateway", &row.egress_only_internet_gateway_id))]
    arn: Option<String>,
}

/// Elastic IP addresses.
#[derive(Table)]
#[table(name = "aws_ec2_eips", of = Address, list = client.describe_addresses(), key = [account_id, region, allocation_id])]
pub struct Eips;

/// Flow logs: which traffic is recorded, and where.
#[derive(Table)]
#[table(name = "aws_ec2_flow_logs", of = FlowLog, list = client.describe_flow_logs(), key = arn)]
pub struct FlowLogs {
    #[column(value = scope.arn("ec2", "vpc-flow-log", &row.flow_log_id))]
    arn: Option<String>,
}

/// Dedicated hosts.
#[derive(Table)]
#[table(name = "aws_ec2_hosts", of = Host, list = client.describe_hosts(), key = arn)]
pub struct Hosts {
    #[column(value = scope.arn("ec2", "dedicated-host", &row.host_id))]
    arn: Option<String>,
}

/// Machine images that the account owns.
#[derive(Table)]
#[table(name = "aws_ec2_images", of = Image, list = client.describe_images().owners("self").include_deprecated(true), key = arn)]
pub struct Images {
    #[column(value = scope.arn("ec2", "image", &row.image_id))]
    arn: Option<String>,
}

/// Endpoints through which instances without a public address are reached.
#[derive(Table)]
#[table(name = "aws_ec2_instance_connect_endpoints", of = Ec2InstanceConnectEndpoint, list = client.describe_instance_connect_endpoints(), key = arn)]
pub struct InstanceConnectEndpoints;

/// Results of the checks on instances, and events that are planned for them.
#[derive(Table)]
#[table(name = "aws_ec2_instance_statuses", of = InstanceStatus, list = client.describe_instance_status().include_all_instances(true), key = arn)]
pub struct InstanceStatuses {
    #[column(value = scope.arn("ec2", "instance", &row.instance_id))]
    arn: Option<String>,
}

/// Instance types that the region offers.
#[derive(Table)]
#[table(name = "aws_ec2_instance_types", of = InstanceTypeInfo, list = client.describe_instance_types(), key = [account_id, region, instance_type])]
pub struct InstanceTypes;

/// Internet gateways.
#[derive(Table)]
#[table(name = "aws_ec2_internet_gateways", of = InternetGateway, list = client.describe_internet_gateways(), key = arn)]
pub struct InternetGateways {
    #[column(value = scope.arn("ec2", "internet-gateway", &row.internet_gateway_id))]
    arn: Option<String>,
}

/// Key pairs; of each the public key.
#[derive(Table)]
#[table(name = "aws_ec2_key_pairs", of = KeyPairInfo, list = client.describe_key_pairs().include_public_key(true), key = arn)]
pub struct KeyPairs {
    #[column(value = scope.arn("ec2", "key-pair", &row.key_pair_id))]
    arn: Option<String>,
}

/// Launch templates.
#[derive(Table)]
#[table(name = "aws_ec2_launch_templates", of = LaunchTemplate, list = client.describe_launch_templates(), key = arn)]
pub struct LaunchTemplates {
    #[column(value = scope.arn("ec2", "launch-template", &row.launch_template_id))]
    arn: Option<String>,
}

/// Prefix lists, the account's own and those of AWS.
#[derive(Table)]
#[table(name = "aws_ec2_managed_prefix_lists", of = ManagedPrefixList, list = client.describe_managed_prefix_lists(), key = arn)]
pub struct ManagedPrefixLists {
    #[column(value = row.prefix_list_arn.clone())]
    arn: Option<String>,
}

/// NAT gateways.
#[derive(Table)]
#[table(name = "aws_ec2_nat_gateways", of = NatGateway, list = client.describe_nat_gateways(), key = arn)]
pub struct NatGateways {
    #[column(value = scope.arn("ec2", "natgateway", &row.nat_gateway_id))]
    arn: Option<String>,
}

/// Network access control lists.
#[derive(Table)]
#[table(name = "aws_ec2_network_acls", of = NetworkAcl, list = client.describe_network_acls(), key = arn)]
pub struct NetworkAcls {
    #[column(value = scope.arn("ec2", "network-acl", &row.network_acl_id))]
    arn: Option<String>,
}

/// Network interfaces.
#[derive(Table)]
#[table(name = "aws_ec2_network_interfaces", of = NetworkInterface, list = client.describe_network_interfaces(), key = arn)]
pub struct NetworkInterfaces {
    #[column(value = scope.arn("ec2", "network-interface", &row.network_interface_id))]
    arn: Option<String>,
}

/// Reserved instances that were bought.
#[derive(Table)]
#[table(name = "aws_ec2_reserved_instances", of = ReservedInstances, list = client.describe_reserved_instances(), key = arn)]
pub struct ReservedInstancesBought {
    #[column(value = scope.arn("ec2", "reserved-instances", &row.reserved_instances_id))]
    arn: Option<String>,
}

/// Route tables.
#[derive(Table)]
#[table(name = "aws_ec2_route_tables", of = RouteTable, list = client.describe_route_tables(), key = arn)]
pub struct RouteTables {
    #[column(value = scope.arn("ec2", "route-table", &row.route_table_id))]
    arn: Option<String>,
}

/// Security groups with their rules.
#[derive(Table)]
#[table(name = "aws_ec2_security_groups", of = SecurityGroup, list = client.describe_security_groups(), key = arn)]
pub struct SecurityGroups {
    #[column(value = scope.arn("ec2", "security-group", &row.group_id))]
    arn: Option<String>,
}

/// Requests for fleets of spot instances.
#[derive(Table)]
#[table(name = "aws_ec2_spot_fleet_requests", of = SpotFleetRequestConfig, list = client.describe_spot_fleet_requests(), key = arn)]
pub struct SpotFleetRequests {
    #[column(value = scope.arn("ec2", "spot-fleet-request", &row.spot_fleet_request_id))]
    arn: Option<String>,
}

/// Requests for spot instances.
#[derive(Table)]
#[table(name = "aws_ec2_spot_instance_requests", of = SpotInstanceRequest, list = client.describe_spot_instance_requests(), key = arn)]
pub struct SpotInstanceRequests {
    #[column(value = scope.arn("ec2", "spot-instances-request", &row.spot_instance_request_id))]
    arn: Option<String>,
}

/// Subnets.
#[derive(Table)]
#[table(name = "aws_ec2_subnets", of = Subnet, list = client.describe_subnets(), key = arn)]
pub struct Subnets;

/// Attachments of transit gateways, of every kind.
#[derive(Table)]
#[table(name = "aws_ec2_transit_gateway_attachments", of = TransitGatewayAttachment, list = client.describe_transit_gateway_attachments(), key = arn)]
pub struct TransitGatewayAttachments {
    #[column(value = scope.arn("ec2", "transit-gateway-attachment", &row.transit_gateway_attachment_id))]
    arn: Option<String>,
}

/// Multicast domains of transit gateways.
#[derive(Table)]
#[table(name = "aws_ec2_transit_gateway_multicast_domains", of = TransitGatewayMulticastDomain, list = client.describe_transit_gateway_multicast_domains(), key = arn)]
pub struct TransitGatewayMulticastDomains;

/// Peerings between transit gateways.
#[derive(Table)]
#[table(name = "aws_ec2_transit_gateway_peering_attachments", of = TransitGatewayPeeringAttachment, list = client.describe_transit_gateway_peering_attachments(), key = arn)]
pub struct TransitGatewayPeeringAttachments {
    #[column(value = scope.arn("ec2", "transit-gateway-attachment", &row.transit_gateway_attachment_id))]
    arn: Option<String>,
}

/// Route tables of transit gateways.
#[derive(Table)]
#[table(name = "aws_ec2_transit_gateway_route_tables", of = TransitGatewayRouteTable, list = client.describe_transit_gateway_route_tables(), key = arn)]
pub struct TransitGatewayRouteTables {
    #[column(value = scope.arn("ec2", "transit-gateway-route-table", &row.transit_gateway_route_table_id))]
    arn: Option<String>,
}

/// Attachments of VPCs to transit gateways.
#[derive(Table)]
#[table(name = "aws_ec2_transit_gateway_vpc_attachments", of = TransitGatewayVpcAttachment, list = client.describe_transit_gateway_vpc_attachments(), key = arn)]
pub struct TransitGatewayVpcAttachments {
    #[column(value = scope.arn("ec2", "transit-gateway-attachment", &row.transit_gateway_attachment_id))]
    arn: Option<String>,
}

/// Transit gateways.
#[derive(Table)]
#[table(name = "aws_ec2_transit_gateways", of = TransitGateway, list = client.describe_transit_gateways(), key = arn)]
pub struct TransitGateways;

/// Connections of others' VPC endpoints to the account's endpoint services.
#[derive(Table)]
#[table(name = "aws_ec2_vpc_endpoint_connections", of = VpcEndpointConnection, list = client.describe_vpc_endpoint_connections(), key = arn)]
pub struct VpcEndpointConnections {
    #[column(value = scope.arn("ec2", "vpc-endpoint-connection", &row.vpc_endpoint_connection_id))]
    arn: Option<String>,
}

/// Endpoint services that the account offers.
#[derive(Table)]
#[table(name = "aws_ec2_vpc_endpoint_service_configurations", of = ServiceConfiguration, list = client.describe_vpc_endpoint_service_configurations(), key = arn)]
pub struct VpcEndpointServiceConfigurations {
    #[column(value = scope.arn("ec2", "vpc-endpoint-service", &row.service_id))]
    arn: Option<String>,
}

/// Endpoint services that a VPC endpoint can be made for.
#[derive(Table)]
#[table(name = "aws_ec2_vpc_endpoint_services", of = ServiceDetail, list = client.describe_vpc_endpoint_services(), key = [account_id, region, service_name])]
pub struct VpcEndpointServices;

/// VPC endpoints.
#[derive(Table)]
#[table(name = "aws_ec2_vpc_endpoints", of = VpcEndpoint, list = client.describe_vpc_endpoints(), key = arn)]
pub struct VpcEndpoints {
    #[column(value = scope.arn("ec2", "vpc-endpoint", &row.vpc_endpoint_id))]
    arn: Option<String>,
}

/// Peerings between VPCs.
#[derive(Table)]
#[table(name = "aws_ec2_vpc_peering_connections", of = VpcPeeringConnection, list = client.describe_vpc_peering_connections(), key = arn)]
pub struct VpcPeeringConnections {
    #[column(value = scope.arn("ec2", "vpc-peering-connection", &row.vpc_peering_connection_id))]
    arn: Option<String>,
}

/// Virtual private clouds.
#[derive(Table)]
#[table(name = "aws_ec2_vpcs", of = Vpc, list = client.describe_vpcs(), key = arn)]
pub struct Vpcs {
    #[column(value = scope.arn("ec2", "vpc", &row.vpc_id))]
    arn: Option<String>,
}

/// VPN connections.
#[derive(Table)]
#[table(name = "aws_ec2_vpn_connections", of = VpnConnection, list = client.describe_vpn_connections(), key = arn)]
pub struct VpnConnections {
    #[column(value = scope.arn("ec2", "vpn-connection", &row.vpn_connection_id))]
    arn: Option<String>,
}

/// The AWS ends of VPN connections.
#[derive(Table)]
#[table(name = "aws_ec2_vpn_gateways", of = VpnGateway, list = client.describe_vpn_gateways(), key = arn)]
pub struct VpnGateways {
    #[column(value = scope.arn("ec2", "vpn-gateway", &row.vpn_gateway_id))]
    arn: Option<String>,
}

/// Who may make volumes of a snapshot, and its product codes.
#[derive(Table)]
#[table(name = "aws_ec2_ebs_snapshot_attributes", of = DescribeSnapshotAttributeOutput, parent = EbsSnapshots, key = snapshot_arn,
        get = client.describe_snapshot_attribute().set_snapshot_id(parent.snapshot_id.clone()).attribute(special::SNAPSHOT_PERMISSIONS))]
pub struct EbsSnapshotAttributes;

/// Who may launch instances of an image.
#[derive(Table)]
#[table(name = "aws_ec2_image_launch_permissions", of = LaunchPermission, parent = Images, key = [image_arn, hash],
        list = client.describe_image_attribute().set_image_id(parent.image_id.clone()).attribute(special::LAUNCH_PERMISSIONS))]
pub struct ImageLaunchPermissions;

/// Versions of launch templates.
#[derive(Table)]
#[table(name = "aws_ec2_launch_template_versions", of = LaunchTemplateVersion, parent = LaunchTemplates, key = [arn, version_number],
        list = client.describe_launch_template_versions().set_launch_template_id(parent.launch_template_id.clone()))]
pub struct LaunchTemplateVersions {
    #[column(value = parent.columns.arn.clone())]
    arn: Option<String>,
}

/// Instances of a spot fleet that are running.
#[derive(Table)]
#[table(name = "aws_ec2_spot_fleet_instances", of = ActiveInstance, parent = SpotFleetRequests, key = [spot_fleet_request_arn, instance_id],
        list = client.describe_spot_fleet_instances().set_spot_fleet_request_id(parent.spot_fleet_request_id.clone()))]
pub struct SpotFleetInstances;

/// Who may connect to an endpoint service.
#[derive(Table)]
#[table(name = "aws_ec2_vpc_endpoint_service_permissions", of = AllowedPrincipal, parent = VpcEndpointServiceConfigurations,
        key = [arn, principal],
        list = client.describe_vpc_endpoint_service_permissions().set_service_id(parent.service_id.clone()))]
pub struct VpcEndpointServicePermissions {
    #[column(value = parent.columns.arn.clone())]
    arn: Option<String>,
}

/// Settings of the account that hold for the whole region: whether new volumes are encrypted, and by which key.
#[derive(Table)]
#[table(name = "aws_ec2_regional_configs", of = GetEbsEncryptionByDefaultOutput, key = [account_id, region],
        get = client.get_ebs_encryption_by_default())]
pub struct RegionalConfigs {
    #[column(get = client.get_ebs_default_kms_key_id(), flatten, prefix = "ebs_default_")]
    ebs_default_kms_key: Option<GetEbsDefaultKmsKeyIdOutput>,
}
