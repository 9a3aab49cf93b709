//! Rows of Amazon EC2.

use std::sync::Arc;

use crate::estate::{Estate, Id, packed};
use crate::kind::Kind;
use crate::latency::mixed;
use crate::text::{Iso, Text};

const TYPES: [&str; 8] =
    ["t3.micro", "t3.medium", "m5.large", "m6i.xlarge", "c5.2xlarge", "r5.large", "m7g.large", "c6i.4xlarge"];

/// Where the rows of a page are.
pub struct At {
    estate: Arc<Estate>,
    account: u64,
    account_id: String,
    region: usize,
    name: String,
}

impl At {
    pub fn new(estate: Arc<Estate>, account: u64, region: usize) -> Self {
        let (account_id, name) = (estate.account_id(account), estate.regions[region].clone());
        Self { estate, account, account_id, region, name }
    }

    fn id(&self, prefix: &'static str, index: u64) -> Id {
        Id(prefix, self.account, self.region, index)
    }

    /// A number that belongs to the row.
    fn any(&self, index: u64) -> u64 {
        mixed(packed(self.account, index, self.region as u64) as u64 ^ 0x5bd1_e995)
    }

    fn zone(&self, text: &mut Text, index: u64) {
        text.leaf("availabilityZone", format_args!("{}{}", self.name, ["a", "b", "c"][index as usize % 3]));
    }

    /// The tags, which are the last member of a row because one of them fills it up.
    fn tags(&self, text: &mut Text, kind: &str, index: u64, start: usize) {
        text.raw("<tagSet><item><key>Name</key>");
        text.leaf("value", format_args!("{kind}-{index:06}"));
        text.raw("</item><item><key>env</key>");
        text.text("value", ["prod", "staging", "dev"][index as usize % 3]);
        text.raw("</item><item><key>team</key>");
        text.leaf("value", format_args!("team-{:02}", self.any(index) % 40));
        text.raw("</item>");
        let missing = self.estate.row_bytes.saturating_sub(text.0.len() - start + 90);
        if missing > 0 {
            text.raw("<item><key>padding</key><value>");
            text.pad(missing, self.any(index));
            text.raw("</value></item>");
        }
        text.raw("</tagSet>");
    }
}

fn launched(any: u64) -> u64 {
    1_640_000_000 + any % 120_000_000
}

pub fn instance(at: &At, index: u64, text: &mut Text) {
    let start = text.0.len();
    let any = at.any(index);
    let vpcs = at.estate.count(at.account, Kind::Vpcs).max(1);
    let volumes = at.estate.count(at.account, Kind::Volumes).max(1);
    let (b, c, d) = (any % 256, any >> 8 & 0xff, any >> 16 & 0xff);
    let stopped = index % 10 == 9;
    text.raw("<item>");
    text.leaf("reservationId", at.id("r-", index));
    text.text("ownerId", &at.account_id);
    text.raw("<groupSet/><instancesSet><item>");
    text.leaf("instanceId", at.id("i-", index));
    text.leaf("imageId", Id("ami-", 0, at.region, any % 12));
    text.raw(if stopped {
        "<instanceState><code>80</code><name>stopped</name></instanceState>"
    } else {
        "<instanceState><code>16</code><name>running</name></instanceState>"
    });
    text.leaf("privateDnsName", format_args!("ip-10-{b}-{c}-{d}.{}.compute.internal", at.name));
    text.raw("<dnsName/>");
    text.raw(if stopped { "<reason>User initiated (2026-01-15 10:12:13 GMT)</reason>" } else { "<reason/>" });
    text.raw("<keyName>operations</keyName><amiLaunchIndex>0</amiLaunchIndex><productCodes/>");
    text.text("instanceType", TYPES[any as usize % TYPES.len()]);
    text.leaf("launchTime", Iso(launched(any)));
    text.open("placement");
    at.zone(text, index);
    text.raw("<groupName/><tenancy>default</tenancy></placement><monitoring><state>disabled</state></monitoring>");
    text.leaf("subnetId", at.id("subnet-", index % vpcs));
    text.leaf("vpcId", at.id("vpc-", index % vpcs));
    text.leaf("privateIpAddress", format_args!("10.{b}.{c}.{d}"));
    text.raw("<sourceDestCheck>true</sourceDestCheck><groupSet><item>");
    text.leaf("groupId", at.id("sg-", any % 20));
    text.raw("<groupName>default</groupName></item></groupSet><architecture>x86_64</architecture>");
    text.raw("<rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/xvda</rootDeviceName>");
    text.raw("<blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs>");
    text.leaf("volumeId", at.id("vol-", index % volumes));
    text.raw("<status>attached</status>");
    text.leaf("attachTime", Iso(launched(any) + 2));
    text.raw("<deleteOnTermination>true</deleteOnTermination></ebs></item></blockDeviceMapping>");
    text.raw("<virtualizationType>hvm</virtualizationType>");
    text.leaf("clientToken", format_args!("{any:016x}"));
    text.raw("<hypervisor>xen</hypervisor><networkInterfaceSet><item>");
    text.leaf("networkInterfaceId", at.id("eni-", index));
    text.leaf("subnetId", at.id("subnet-", index % vpcs));
    text.leaf("vpcId", at.id("vpc-", index % vpcs));
    text.text("ownerId", &at.account_id);
    text.raw("<description/><status>in-use</status>");
    text.leaf("macAddress", format_args!("02:{b:02x}:{c:02x}:{d:02x}:00:01"));
    text.leaf("privateIpAddress", format_args!("10.{b}.{c}.{d}"));
    text.raw("<sourceDestCheck>true</sourceDestCheck><interfaceType>interface</interfaceType></item>");
    text.raw("</networkInterfaceSet><iamInstanceProfile>");
    text.leaf("arn", format_args!("arn:aws:iam::{}:instance-profile/node", at.account_id));
    text.leaf("id", at.id("AIPA", any % 20));
    text.raw("</iamInstanceProfile><ebsOptimized>false</ebsOptimized><enaSupport>true</enaSupport>");
    text.raw("<cpuOptions><coreCount>1</coreCount><threadsPerCore>2</threadsPerCore></cpuOptions>");
    text.raw("<capacityReservationSpecification><capacityReservationPreference>open</capacityReservationPreference>");
    text.raw("</capacityReservationSpecification><hibernationOptions><configured>false</configured>");
    text.raw("</hibernationOptions><enclaveOptions><enabled>false</enabled></enclaveOptions><metadataOptions>");
    text.raw("<state>applied</state><httpTokens>required</httpTokens>");
    text.raw("<httpPutResponseHopLimit>2</httpPutResponseHopLimit><httpEndpoint>enabled</httpEndpoint>");
    text.raw("<httpProtocolIpv6>disabled</httpProtocolIpv6><instanceMetadataTags>disabled</instanceMetadataTags>");
    text.raw("</metadataOptions><bootMode>uefi-preferred</bootMode><platformDetails>Linux/UNIX</platformDetails>");
    text.raw("<usageOperation>RunInstances</usageOperation>");
    text.leaf("usageOperationUpdateTime", Iso(launched(any)));
    text.raw("<privateDnsNameOptions><hostnameType>ip-name</hostnameType></privateDnsNameOptions>");
    text.raw("<maintenanceOptions><autoRecovery>default</autoRecovery></maintenanceOptions>");
    at.tags(text, "instance", index, start);
    text.raw("</item></instancesSet></item>");
}

pub fn volume(at: &At, index: u64, text: &mut Text) {
    let start = text.0.len();
    let any = at.any(index);
    let instances = at.estate.count(at.account, Kind::Instances);
    text.raw("<item>");
    text.leaf("volumeId", at.id("vol-", index));
    text.leaf("size", 8 << (any % 8));
    text.leaf("snapshotId", at.id("snap-", any % 50));
    at.zone(text, index);
    text.text("status", if index < instances { "in-use" } else { "available" });
    text.leaf("createTime", Iso(launched(any)));
    text.raw("<attachmentSet>");
    if index < instances {
        text.raw("<item>");
        text.leaf("volumeId", at.id("vol-", index));
        text.leaf("instanceId", at.id("i-", index));
        text.raw("<device>/dev/xvda</device><status>attached</status>");
        text.leaf("attachTime", Iso(launched(any) + 2));
        text.raw("<deleteOnTermination>true</deleteOnTermination></item>");
    }
    text.raw("</attachmentSet><volumeType>gp3</volumeType><iops>3000</iops><throughput>125</throughput>");
    text.raw("<encrypted>true</encrypted>");
    text.leaf("kmsKeyId", format_args!("arn:aws:kms:{}:{}:key/{any:016x}", at.name, at.account_id));
    text.raw("<multiAttachEnabled>false</multiAttachEnabled>");
    at.tags(text, "volume", index, start);
    text.raw("</item>");
}

pub fn vpc(at: &At, index: u64, text: &mut Text) {
    let start = text.0.len();
    text.raw("<item>");
    text.leaf("vpcId", at.id("vpc-", index));
    text.text("ownerId", &at.account_id);
    text.raw("<state>available</state>");
    text.leaf("cidrBlock", format_args!("10.{}.0.0/16", index % 256));
    text.raw("<cidrBlockAssociationSet><item>");
    text.leaf("cidrBlock", format_args!("10.{}.0.0/16", index % 256));
    text.leaf("associationId", at.id("vpc-cidr-assoc-", index));
    text.raw("<cidrBlockState><state>associated</state></cidrBlockState></item></cidrBlockAssociationSet>");
    text.leaf("dhcpOptionsId", at.id("dopt-", 0));
    text.raw("<instanceTenancy>default</instanceTenancy>");
    text.leaf("isDefault", index == 0);
    at.tags(text, "vpc", index, start);
    text.raw("</item>");
}

pub fn snapshot(at: &At, index: u64, text: &mut Text) {
    let start = text.0.len();
    let any = at.any(index);
    let volumes = at.estate.count(at.account, Kind::Volumes).max(1);
    text.raw("<item>");
    text.leaf("snapshotId", at.id("snap-", index));
    text.leaf("volumeId", at.id("vol-", index % volumes));
    text.raw("<status>completed</status>");
    text.leaf("startTime", Iso(launched(any)));
    text.leaf("completionTime", Iso(launched(any) + 600));
    text.raw("<progress>100%</progress>");
    text.text("ownerId", &at.account_id);
    text.leaf("volumeSize", 8 << (any % 8));
    text.leaf("description", format_args!("Nightly backup {index}"));
    text.raw("<encrypted>true</encrypted><storageTier>standard</storageTier>");
    text.leaf("kmsKeyId", format_args!("arn:aws:kms:{}:{}:key/{any:016x}", at.name, at.account_id));
    at.tags(text, "snapshot", index, start);
    text.raw("</item>");
}
