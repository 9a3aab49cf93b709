//! Accounts and organizations are opened against a server that notes the calls.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::SdkConfig;
use headwater_sdk::Scope as _;
use headwater_sdk::connector::{Wanted, all_wanted};
use headwater_sdk::registry::tables_of;

use super::*;
use crate::fake::{Fake, HOME};
use crate::spec::Org;

type Rows<T> = BoxStream<'static, Result<Vec<T>>>;

fn nothing<T: Send + 'static>() -> Rows<T> {
    futures::stream::empty().boxed()
}

mod regional {
    use headwater_sdk::{Scopes, Table};

    use super::super::{REGIONAL, Scope};

    type Client = ();
    const SCOPES: Scopes = REGIONAL;

    /// Things of a region.
    #[derive(Table)]
    #[table(name = "regional_things", list = super::nothing(), key = [account_id, region, name])]
    pub struct Thing {
        name: String,
    }
}

mod global {
    use headwater_sdk::{Scopes, Table};

    use super::super::{GLOBAL, Scope};

    type Client = ();
    const SCOPES: Scopes = GLOBAL;

    /// Things of an account.
    #[derive(Table)]
    #[table(name = "global_things", list = super::nothing(), key = [account_id, name])]
    pub struct Thing {
        name: String,
    }
}

/// An account with a role; its number is the last of its id.
fn account(number: u64) -> Account {
    Account { role_arn: Some(format!("arn:aws:iam::1{number:011}:role/reader")), ..Account::default() }
}

fn spec(accounts: Vec<Account>) -> Spec {
    let regions = vec!["us-east-1".to_owned(), "eu-west-1".to_owned()];
    Spec { accounts, regions, max_retries: Some(0), ..Spec::default() }
}

async fn opening(fake: &Fake, spec: Spec) -> Arc<Opening> {
    let credentials = Credentials::new("key", "secret", None, None, "test");
    let base = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(crate::http::client())
        .endpoint_url(&fake.url)
        .region(Region::from_static("us-east-1"))
        .time_source(aws_smithy_async::time::SystemTimeSource::new())
        .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    assert_eq!(spec.problem(), None);
    let opening = Opening::new(&Arc::new(spec), None);
    opening.opener.set_base(base).await;
    opening
}

fn scopes(opening: &Arc<Opening>, wanted: Wanted) -> BoxStream<'static, Opened<Scope>> {
    let tables = tables_of(&[env!("CARGO_PKG_NAME")]).into_iter().map(Arc::new).collect();
    opening.scopes(WantedScopes::new(tables, wanted))
}

/// The ids of the scopes, what failed, and how many accounts were announced.
async fn all(opening: &Arc<Opening>, wanted: Wanted) -> (Vec<String>, Vec<(String, Error)>, usize) {
    let (mut open, mut failed, mut places) = (Vec::new(), Vec::new(), 0);
    let mut scopes = scopes(opening, wanted);
    while let Some(opened) = scopes.next().await {
        match opened {
            Opened::Places(count) => places += count,
            Opened::Open(scopes) => open.extend(scopes.iter().map(|(_, scope)| scope.id())),
            Opened::Failed(what, error) => failed.push((what, error)),
        }
    }
    open.sort();
    (open, failed, places)
}

#[tokio::test]
async fn an_account_with_a_role_takes_one_call_and_harms_no_other() {
    let fake = Fake::start().await;
    let mut accounts: Vec<Account> = (1..=40).map(account).collect();
    accounts.push(account(7));
    accounts.push(Account {
        id: "shut".into(),
        role_arn: Some("arn:aws:iam::900000000000:role/closed".into()),
        ..Account::default()
    });
    let (open, failed, places) = all(&opening(&fake, spec(accounts)).await, all_wanted()).await;
    assert_eq!((open.len(), places), (40 * 3, 42));
    assert_eq!(open[..3], ["100000000001", "100000000001/eu-west-1", "100000000001/us-east-1"]);
    let calls = fake.calls();
    assert_eq!(calls.len(), 41, "{calls:?}");
    assert!(calls.iter().all(|call| call.starts_with("AssumeRole ")), "{calls:?}");
    let titles: Vec<&str> = failed.iter().map(|(title, _)| title.as_str()).collect();
    assert!(titles.contains(&"account shut (900000000000)"), "{titles:?}");
    let again = failed.iter().find(|(title, _)| title == "account 100000000007").expect("it is told");
    assert!(again.1.to_string().contains("is there already"), "{}", again.1);
    let shut = failed.iter().find(|(title, _)| title.contains("shut")).expect("it is told");
    assert_eq!(shut.1.permission.as_deref(), Some("sts:AssumeRole"));
    assert!(shut.1.to_string().contains("AccessDenied") && shut.1.to_string().contains("trust"), "{}", shut.1);
}

#[tokio::test]
async fn an_account_of_which_nothing_is_wanted_is_not_opened() {
    let fake = Fake::start().await;
    let opening = opening(&fake, spec((1..=40).map(account).collect())).await;
    let wanted: Wanted = Arc::new(|table, scope| table == "regional_things" && scope == "100000000003/eu-west-1");
    let (open, failed, places) = all(&opening, wanted).await;
    assert_eq!((open, failed.len(), places), (vec!["100000000003/eu-west-1".to_owned()], 0, 40));
    assert_eq!(fake.calls(), ["AssumeRole arn:aws:iam::100000000003:role/reader"]);
}

#[tokio::test]
async fn accounts_are_opened_a_few_ahead_of_the_reader_only() {
    let fake = Fake::start().await;
    let spec = Spec { initialization_concurrency: Some(4), ..spec((1..=40).map(account).collect()) };
    let opening = opening(&fake, spec).await;
    let mut scopes = scopes(&opening, all_wanted());
    for _ in 0..2 {
        scopes.next().await.expect("the number of places, then an account");
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let called = fake.calls().len();
    assert!((1..=6).contains(&called), "{called} of 40 are open");
}

#[tokio::test]
async fn without_a_role_an_account_is_asked_who_it_is() {
    let fake = Fake::start().await;
    let (open, failed, _) = all(&opening(&fake, spec(Vec::new())).await, all_wanted()).await;
    assert_eq!(open, [HOME.to_owned(), format!("{HOME}/eu-west-1"), format!("{HOME}/us-east-1")]);
    assert!(failed.is_empty());
    assert_eq!(fake.calls(), ["GetCallerIdentity"]);
}

async fn members(org: Org) -> (Vec<String>, Vec<(String, Error)>, usize, Vec<String>) {
    let fake = Fake::start().await;
    let org = Org { member_role_name: "path/reader".into(), member_regions: vec!["us-east-1".into()], ..org };
    let spec = Spec { org: Some(org), ..spec(Vec::new()) };
    let wanted: Wanted = Arc::new(|table, _| table == "regional_things");
    let (open, failed, places) = all(&opening(&fake, spec).await, wanted).await;
    let open = open.iter().map(|id| id.trim_end_matches("/us-east-1").trim_start_matches("100000000").to_owned());
    (open.collect(), failed, places, fake.calls())
}

#[tokio::test]
async fn the_active_accounts_of_an_organization_are_read() {
    let org = Org { skip_member_accounts: vec!["100000000002".into()], ..Org::default() };
    let (open, failed, places, calls) = members(org).await;
    assert_eq!((open.as_slice(), failed.len(), places), (["000", "001", "003"].map(str::to_owned).as_slice(), 0, 3));
    let expected = [
        "AssumeRole arn:aws:iam::100000000001:role/path/reader",
        "AssumeRole arn:aws:iam::100000000003:role/path/reader",
        "GetCallerIdentity",
        "GetCallerIdentity",
        "listaccounts",
        "listaccounts",
    ];
    assert_eq!(calls, expected);
}

#[tokio::test]
async fn units_are_read_with_those_below_them_and_once() {
    let units = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let under = |only: &[&str], skip: &[&str]| Org {
        organization_units: units(only),
        skip_organization_units: units(skip),
        ..Org::default()
    };
    for (org, expected) in [
        (under(&["ou-1"], &[]), vec!["001", "002"]),
        (under(&["ou-2", "ou-1", "ou-2"], &[]), vec!["001", "002"]),
        (under(&["r-1"], &["ou-2"]), vec!["000", "001", "003"]),
        (under(&[], &["ou-1"]), vec!["000", "003"]),
    ] {
        let (open, failed, places, calls) = members(org).await;
        assert_eq!((&open, failed.len(), places), (&units(&expected), 0, expected.len()), "{calls:?}");
    }
}

#[tokio::test]
async fn an_organization_of_which_nothing_is_left_is_told() {
    let skipped = ["000000", "000003"].map(|end| format!("100000{end}"));
    let skip =
        Org { skip_organization_units: vec!["ou-1".into()], skip_member_accounts: skipped.to_vec(), ..Org::default() };
    let (open, failed, places, _) = members(skip).await;
    assert_eq!((open.len(), places), (0, 0));
    assert!(failed.iter().any(|(_, error)| error.to_string().contains("no account was found")), "{failed:?}");
}

#[tokio::test]
async fn a_listing_that_is_denied_says_the_permission() {
    let org = Org { organization_units: vec!["ou-3".into(), "ou-denied".into()], ..Org::default() };
    let (open, failed, ..) = members(org).await;
    assert_eq!(open, ["003"], "what was listed before is read");
    let [(what, error)] = failed.as_slice() else { panic!("{failed:?}") };
    assert_eq!(what, "the organization");
    assert_eq!(error.permission.as_deref(), Some("organizations:ListAccountsForParent"));
    assert!(error.to_string().contains("organizations:ListAccountsForParent"), "{error}");
}
