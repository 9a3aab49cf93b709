//! What goes wrong on purpose: sessions, throttles, and each kind of fault.

mod common;

use std::time::{Duration, Instant};

use anyhow::Result;
use common::{Client, values};
use headwater_bench_server::{Config, Fault, FaultKind, Latency, Per, Server, Throttle};

fn config() -> Config {
    Config::default().with_accounts(5).with_regions(["us-east-1"])
}

fn fault(kind: FaultKind) -> Fault {
    Fault { kind, ..Fault::default() }
}

#[tokio::test]
async fn a_role_is_assumed_in_open_accounts_only() -> Result<()> {
    let server =
        Server::start(Config { accounts_denied: vec![100_000_000_002], suspended_every: Some(4), ..config() }).await?;
    let mut client = Client::open(&server, 0, "us-east-1").await?.with_key("AKIAIOSFODNN7EXAMPLE");
    let assume =
        |account: u64| format!("&RoleSessionName=test&RoleArn=arn:aws:iam::{}:role/reader", 100_000_000_000 + account);
    for account in [2, 4, 5] {
        let answer = client.query("sts", "AssumeRole", &assume(account)).await?;
        assert_eq!((answer.status, values(&answer.body, "Code")), (403, vec!["AccessDenied"]), "{account}");
        assert!(answer.body.contains("is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::"));
    }
    let answer = client.query("sts", "AssumeRole", &assume(3)).await?;
    let mut session = Client::open(&server, 0, "us-east-1").await?.with_key(values(&answer.body, "AccessKeyId")[0]);
    let answer = session.query("sts", "GetCallerIdentity", "").await?;
    assert_eq!(values(&answer.body, "Account"), ["100000000003"]);

    server.set_config(Config { session_s: 0, ..config() })?;
    let answer = client.query("sts", "AssumeRole", &assume(3)).await?;
    let mut session = Client::open(&server, 0, "us-east-1").await?.with_key(values(&answer.body, "AccessKeyId")[0]);
    let answer = session.query("ec2", "DescribeVpcs", "").await?;
    assert_eq!((answer.status, values(&answer.body, "Code")), (400, vec!["RequestExpired"]));
    Ok(())
}

#[tokio::test]
async fn a_throttle_lets_its_burst_and_its_rate_pass() -> Result<()> {
    let throttle = Throttle {
        service: "ec2".into(),
        api: "Describe*".into(),
        per: Per::Account,
        rate: 100.0,
        burst: 10.0,
        retry_after_s: Some(3),
        ..Throttle::default()
    };
    let server = Server::start(config().with_throttle(throttle)).await?;
    let mut passed = 0;
    let start = Instant::now();
    let mut client = Client::open(&server, 1, "us-east-1").await?;
    while start.elapsed() < Duration::from_millis(500) {
        let answer = client.query("ec2", "DescribeRegions", "").await?;
        if answer.status == 200 {
            passed += 1;
        } else {
            assert_eq!((answer.status, values(&answer.body, "Code")), (503, vec!["RequestLimitExceeded"]));
            assert_eq!(answer.retry_after.as_deref(), Some("3"));
        }
    }
    let expected = 10.0 + 100.0 * start.elapsed().as_secs_f64();
    assert!((f64::from(passed) - expected).abs() <= expected * 0.1 + 2.0, "{passed} of {expected}");
    let stats = server.stats();
    assert_eq!(stats.throttled, stats.apis["ec2:DescribeRegions"].throttled);
    assert_eq!(stats.calls, stats.throttled + passed as u64);
    // Another account and another service have their own buckets, or none.
    assert_eq!(Client::open(&server, 2, "us-east-1").await?.query("ec2", "DescribeRegions", "").await?.status, 200);
    assert_eq!(client.query("iam", "ListUsers", "").await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn errors_have_the_shape_of_their_service() -> Result<()> {
    let server = Server::start(config()).await?;
    let mut client = Client::open(&server, 1, "us-east-1").await?;
    for (kind, status, ec2, iam, s3, organizations) in [
        (FaultKind::InternalError, 500, "InternalError", "InternalFailure", "InternalError", "ServiceException"),
        (
            FaultKind::Unavailable,
            503,
            "ServiceUnavailable",
            "ServiceUnavailable",
            "ServiceUnavailable",
            "ServiceUnavailable",
        ),
        (FaultKind::Denied, 403, "UnauthorizedOperation", "AccessDenied", "AccessDenied", "AccessDeniedException"),
        (FaultKind::Throttled, 503, "RequestLimitExceeded", "Throttling", "SlowDown", "TooManyRequestsException"),
    ] {
        server.set_config(config().with_fault(Fault { retry_after_s: Some(1), ..fault(kind) }))?;
        let answer = client.query("ec2", "DescribeInstances", "").await?;
        assert_eq!((answer.status, values(&answer.body, "Code")), (status, vec![ec2]));
        assert_eq!(answer.retry_after.as_deref(), Some("1"));
        let answer = client.query("iam", "ListUsers", "").await?;
        assert_eq!(values(&answer.body, "Code"), [iam]);
        if kind == FaultKind::Denied {
            let whom = "User: arn:aws:iam::100000000001:user/bench is not authorized to perform: iam:ListUsers";
            assert!(answer.body.contains(&format!("{whom} on resource: arn:aws:iam::100000000001:user/")));
        }
        let answer = client.send("GET", "/", "s3", &[], "").await?;
        assert_eq!(values(&answer.body, "Code"), [s3]);
        assert_eq!(client.organizations("ListAccounts", "{}").await?["__type"], organizations);
    }
    server.set_config(config().with_fault(fault(FaultKind::BadGateway)))?;
    let answer = client.query("iam", "ListUsers", "").await?;
    assert_eq!((answer.status, answer.body.as_str()), (502, ""));
    Ok(())
}

#[tokio::test]
async fn connections_break() -> Result<()> {
    let server = Server::start(config().with_fault(fault(FaultKind::Reset))).await?;
    assert!(Client::open(&server, 0, "us-east-1").await?.query("iam", "ListUsers", "").await.is_err());

    for row_bytes in [0, 100_000] {
        server.set_config(Config { row_bytes, ..config().with_fault(fault(FaultKind::Truncate)) })?;
        let before = server.stats().bytes_sent;
        assert!(Client::open(&server, 0, "us-east-1").await?.query("iam", "ListUsers", "").await.is_err());
        assert!(server.stats().bytes_sent > before + 1000, "the first half was sent");
    }

    server.set_config(config().with_fault(fault(FaultKind::Hang)))?;
    let mut client = Client::open(&server, 0, "us-east-1").await?;
    let answer = tokio::time::timeout(Duration::from_millis(100), client.query("iam", "ListUsers", "")).await;
    assert!(answer.is_err());
    drop(client);

    server.set_config(config().with_fault(Fault { delay_ms: 80, ..fault(FaultKind::Slow) }))?;
    let start = Instant::now();
    assert_eq!(Client::open(&server, 0, "us-east-1").await?.query("iam", "ListUsers", "").await?.status, 200);
    assert!(start.elapsed() >= Duration::from_millis(80));

    let faults = server.stats().faults;
    let counts: Vec<_> = faults.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    assert_eq!(counts, [("hang", 1), ("reset", 1), ("slow", 1), ("truncate", 2)]);
    Ok(())
}

#[tokio::test]
async fn faults_choose_their_calls() -> Result<()> {
    let server = Server::start(config()).await?;
    let failed = async |fault: Fault, account: u64, calls: u32| -> Result<u32> {
        server.set_config(config().with_fault(fault))?;
        let mut client = Client::open(&server, account, "us-east-1").await?;
        let mut failed = 0;
        for _ in 0..calls {
            failed += u32::from(client.query("iam", "ListAccountAliases", "").await?.status == 500);
        }
        Ok(failed)
    };
    let rule = || fault(FaultKind::InternalError);
    assert_eq!(failed(Fault { every: Some(3), ..rule() }, 0, 10).await?, 3);
    assert_eq!(failed(Fault { times: Some(2), ..rule() }, 0, 10).await?, 2);
    assert_eq!(failed(Fault { accounts: vec![2], ..rule() }, 1, 5).await?, 0);
    assert_eq!(failed(Fault { accounts: vec![100_000_000_002], ..rule() }, 2, 5).await?, 5);
    assert_eq!(failed(Fault { account_every: Some(2), ..rule() }, 4, 5).await?, 5);
    assert_eq!(failed(Fault { account_every: Some(2), ..rule() }, 3, 5).await?, 0);
    assert_eq!(failed(Fault { api: "Get*".into(), ..rule() }, 0, 5).await?, 0);
    assert_eq!(failed(Fault { from_s: Some(60.0), ..rule() }, 0, 5).await?, 0);
    assert_eq!(failed(Fault { to_s: Some(60.0), ..rule() }, 0, 5).await?, 5);
    let share = failed(Fault { probability: Some(0.25), ..rule() }, 0, 1000).await?;
    assert!((200..300).contains(&share), "{share}");
    assert_eq!(failed(Fault { probability: Some(0.25), ..rule() }, 0, 1000).await?, share, "the seed repeats it");
    Ok(())
}

#[tokio::test]
async fn the_server_talks_about_itself() -> Result<()> {
    let server = Server::start(config().with_latency(Latency::Constant { ms: 30.0 })).await?;
    let mut client = Client::open(&server, 0, "us-east-1").await?;
    let start = Instant::now();
    client.query("iam", "ListUsers", "").await?;
    assert!(start.elapsed() >= Duration::from_millis(30));
    let stats = client.control("GET", "stats", "").await?;
    assert_eq!((&stats["apis"]["iam:ListUsers"]["calls"], &stats["max_concurrent"]), (&1.into(), &1.into()));
    assert!(stats["cpu_s"].is_number());
    client.control("POST", "reset", "").await?;
    assert_eq!(server.stats().calls, 0);
    client.control("POST", "config", r#"{"accounts":2,"resources":{"users":3},"max_rate":20}"#).await?;
    assert_eq!(client.control("GET", "expected", "").await?["users"], 6);
    let checksum = server.estate().checksum(headwater_bench_server::Kind::Users).to_string();
    assert_eq!(client.control("GET", "expected?checksum=users", "").await?["checksum"], checksum);
    let start = Instant::now();
    for _ in 0..4 {
        client.query("iam", "ListUsers", "").await?;
    }
    assert!(start.elapsed() >= Duration::from_millis(140), "three more at twenty a second");
    let refused = client.control("POST", "config", r#"{"acounts":2}"#).await?;
    assert!(refused["error"].as_str().is_some_and(|error| error.contains("acounts")));
    Ok(())
}
