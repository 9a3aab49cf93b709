//! Lists: every row is there once, and it is the row that the estate says.

mod common;

use anyhow::Result;
use common::{Client, assert_keys, values};
use headwater_bench_server::{Config, Kind, Server};

const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

fn config() -> Config {
    Config::default().with_accounts(3).with_regions(REGIONS).with(Kind::Snapshots, 12).with(Kind::UserMfaDevices, 1)
}

#[tokio::test]
async fn resources_of_regions_are_paged() -> Result<()> {
    let server = Server::start(config().with_page("DescribeVpcs", 10)).await?;
    // A row may name itself more than once, so the rows are counted by a member that each has once.
    for (kind, action, id, once, asked, pages) in [
        (Kind::Instances, "DescribeInstances", "instanceId", "reservationId", "&MaxResults=5", 7),
        (Kind::Volumes, "DescribeVolumes", "volumeId", "createTime", "&MaxResults=5", 7),
        (Kind::Snapshots, "DescribeSnapshots", "snapshotId", "startTime", "&MaxResults=5", 3),
        (Kind::Vpcs, "DescribeVpcs", "vpcId", "isDefault", "", 4),
    ] {
        let mut keys = Vec::new();
        for account in 0..3 {
            for region in REGIONS {
                let mut client = Client::open(&server, account, region).await?;
                let (text, count) = client.pages("ec2", action, asked).await?;
                assert_eq!(count, pages, "{action}");
                let mut ids = values(&text, id);
                ids.sort_unstable();
                ids.dedup();
                assert_eq!(ids.len(), values(&text, once).len(), "{action}");
                let account_id = server.estate().account_id(account);
                keys.extend(ids.iter().map(|id| format!("{account_id}/{region}/{id}")));
            }
        }
        assert_keys(&server.estate(), kind, &keys);
    }
    Ok(())
}

#[tokio::test]
async fn users_and_what_is_below_them() -> Result<()> {
    let server = Server::start(config().with_heavy(1, [(Kind::Users, 250), (Kind::Groups, 0)])).await?;
    let estate = server.estate();
    let below = [
        (Kind::UserAttachedPolicies, "ListAttachedUserPolicies", "PolicyName"),
        (Kind::UserPolicies, "ListUserPolicies", "member"),
        (Kind::UserGroups, "ListGroupsForUser", "GroupName"),
        (Kind::UserAccessKeys, "ListAccessKeys", "AccessKeyId"),
        (Kind::UserMfaDevices, "ListMFADevices", "SerialNumber"),
        (Kind::UserTags, "ListUserTags", "Key"),
    ];
    let mut users = Vec::new();
    let mut children = vec![Vec::new(); below.len()];
    for account in 0..3 {
        let mut client = Client::open(&server, account, "us-east-1").await?;
        let (text, pages) = client.pages("iam", "ListUsers", "&MaxItems=60").await?;
        assert_eq!(pages, if account == 1 { 5 } else { 1 });
        let id = estate.account_id(account);
        for user in values(&text, "UserName") {
            users.push(format!("{id}/{user}"));
            for (keys, (_, action, tag)) in children.iter_mut().zip(below) {
                let (text, _) = client.pages("iam", action, &format!("&UserName={user}")).await?;
                let name = |text: &str| text.rsplit('/').next().unwrap_or_default().to_owned();
                keys.extend(values(&text, tag).into_iter().map(|text| format!("{id}/{user}/{}", name(text))));
            }
        }
        let missing = client.query("iam", "ListAccessKeys", "&UserName=user-000999").await?;
        assert_eq!((missing.status, values(&missing.body, "Code")), (404, vec!["NoSuchEntity"]));
    }
    assert_keys(&estate, Kind::Users, &users);
    for (keys, (kind, ..)) in children.iter().zip(below) {
        assert_keys(&estate, kind, keys);
    }
    Ok(())
}

#[tokio::test]
async fn buckets_are_paged_and_have_their_region() -> Result<()> {
    let server = Server::start(config()).await?;
    let mut keys = Vec::new();
    for account in 0..3 {
        let mut client = Client::open(&server, account, "us-east-1").await?;
        let mut token = String::new();
        loop {
            let answer = client.send("GET", &format!("/?max-buckets=4{token}"), "s3", &[], "").await?;
            let names = values(&answer.body, "Name");
            assert_eq!(values(&answer.body, "BucketRegion").len(), names.len());
            keys.extend(names.iter().map(|name| format!("{}/{name}", server.estate().account_id(account))));
            match values(&answer.body, "ContinuationToken").first() {
                Some(next) => token = format!("&continuation-token={next}"),
                None => break,
            }
        }
    }
    assert_keys(&server.estate(), Kind::Buckets, &keys);
    let mut client = Client::open(&server, 0, "us-east-1").await?;
    let answer = client.send("GET", "/bucket-100000000000-0001?policy", "s3", &[], "").await?;
    assert_eq!((answer.status, values(&answer.body, "Code")), (404, vec!["NoSuchBucketPolicy"]));
    let answer = client.send("GET", "/bucket-100000000000-0001?location", "s3", &[], "").await?;
    assert!(answer.body.contains(">eu-west-1</LocationConstraint>"));
    let headers = [("content-encoding", "aws-chunked"), ("x-amz-decoded-content-length", "3")];
    let put = client
        .send("PUT", "/bucket-100000000000-0001/key", "s3", &headers, "3;chunk-signature=x\r\nabc\r\n0\r\n")
        .await?;
    assert_eq!(put.status, 200);
    Ok(())
}

#[tokio::test]
async fn large_rows_are_sent_in_pieces() -> Result<()> {
    let config = Config { row_bytes: 1 << 20, ..config() };
    let server = Server::start(config).await?;
    let mut client = Client::open(&server, 2, "eu-west-1").await?;
    let (text, pages) = client.pages("ec2", "DescribeInstances", "").await?;
    assert_eq!((pages, values(&text, "reservationId").len()), (1, 33));
    assert!((33 << 20..34 << 20).contains(&text.len()), "{}", text.len());
    assert!(server.stats().bytes_sent > 33 << 20);
    Ok(())
}

#[tokio::test]
async fn the_organization_is_a_tree() -> Result<()> {
    let server = Server::start(Config { ous: 5, suspended_every: Some(10), ..config().with_accounts(45) }).await?;
    let estate = server.estate();
    let mut client = Client::open(&server, 0, "us-east-1").await?;
    let (mut listed, mut token, mut suspended) = (Vec::new(), String::new(), 0);
    loop {
        let page = client.organizations("ListAccounts", &format!("{{{token}}}")).await?;
        for account in page["Accounts"].as_array().into_iter().flatten() {
            listed.extend(account["Id"].as_str().map(str::to_owned));
            suspended += u64::from(account["Status"] == "SUSPENDED");
        }
        match page["NextToken"].as_str() {
            Some(next) => token = format!("\"NextToken\":\"{next}\""),
            None => break,
        }
    }
    assert_eq!(suspended, 4);
    assert_keys(&estate, Kind::Accounts, &listed);
    let root = client.organizations("ListRoots", "{}").await?;
    let (mut parents, mut found, mut units) = (vec![root["Roots"][0]["Id"].clone()], Vec::new(), 0);
    while let Some(parent) = parents.pop() {
        let body = format!("{{\"ParentId\":{parent}}}");
        let page = client.organizations("ListAccountsForParent", &body).await?;
        let ids = page["Accounts"].as_array().into_iter().flatten();
        found.extend(ids.filter_map(|account| account["Id"].as_str().map(str::to_owned)));
        let page = client.organizations("ListOrganizationalUnitsForParent", &body).await?;
        for unit in page["OrganizationalUnits"].as_array().into_iter().flatten() {
            units += 1;
            parents.push(unit["Id"].clone());
        }
    }
    assert_eq!(units, 5);
    assert_keys(&estate, Kind::Accounts, &found);
    Ok(())
}

#[test]
fn an_estate_is_as_large_as_one_likes() {
    let server = Server::start_blocking(Config::default().with_accounts(100_000).with_regions(["us-east-1"]), 1);
    let server = server.expect("a server of its own");
    assert_eq!(server.estate().rows(Kind::Instances), 3_300_000);
    server.stop();
}
