//! AWS Organizations: accounts, the root, and organizational units, of which every second one is nested.

use serde_json::{Value, json};

use crate::answer::{Answer, JSON};
use crate::call::Call;
use crate::errors::{error, unknown};
use crate::estate::Estate;
use crate::handle::World;

const ROOT: &str = "r-head";
const ORGANIZATION: &str = "o-headwater01";

/// Rows of a page, as the real one has.
const PAGE: u64 = 20;

/// Who an account or a unit belongs to.
#[derive(Clone, Copy, PartialEq)]
enum Parent {
    Root,
    Unit(u64),
}

/// Answers a call.
pub fn answer(world: &World, call: &Call, request_id: &str) -> Answer {
    let estate = &world.estate;
    let missing = |what: &str| error(call, 400, &format!("{what}NotFoundException"), "It does not exist.", request_id);
    let parent = call.param("ParentId").map(|id| parent(estate, id));
    match (call.api.as_str(), parent) {
        (_, Some(None)) => missing("Parent"),
        ("ListAccounts", _) => list(world, call, "Accounts", estate.accounts, request_id, |n| account(estate, n)),
        ("ListRoots", _) => {
            let root = json!({ "Id": ROOT, "Arn": arn(estate, "root", ROOT), "Name": "Root", "PolicyTypes": [] });
            list(world, call, "Roots", 1, request_id, |_| root.clone())
        }
        ("ListAccountsForParent", Some(Some(parent))) => {
            let (count, nth) = accounts_of(estate, parent);
            list(world, call, "Accounts", count, request_id, |n| account(estate, nth(n)))
        }
        ("ListOrganizationalUnitsForParent", Some(Some(parent))) => {
            let (count, nth) = units_of(estate, parent);
            list(world, call, "OrganizationalUnits", count, request_id, |n| unit(estate, nth(n)))
        }
        ("ListChildren", Some(Some(parent))) => {
            if call.param("ChildType") == Some("ACCOUNT") {
                let (count, nth) = accounts_of(estate, parent);
                let child = |n| json!({ "Id": estate.account_id(nth(n)), "Type": "ACCOUNT" });
                list(world, call, "Children", count, request_id, child)
            } else {
                let (count, nth) = units_of(estate, parent);
                let child = |n| json!({ "Id": unit_id(nth(n)), "Type": "ORGANIZATIONAL_UNIT" });
                list(world, call, "Children", count, request_id, child)
            }
        }
        ("ListParents", _) => {
            let child = call.param("ChildId").unwrap_or_default();
            let above = match parent_unit(estate, child) {
                Some(unit) => Some(if unit % 2 == 1 { Parent::Unit(unit - 1) } else { Parent::Root }),
                None => estate.account(child).map(|account| home(estate, account)),
            };
            let row = match above {
                None => return missing("Child"),
                Some(Parent::Root) => json!({ "Id": ROOT, "Type": "ROOT" }),
                Some(Parent::Unit(unit)) => json!({ "Id": unit_id(unit), "Type": "ORGANIZATIONAL_UNIT" }),
            };
            list(world, call, "Parents", 1, request_id, |_| row.clone())
        }
        ("DescribeAccount", _) => match call.param("AccountId").and_then(|id| estate.account(id)) {
            Some(n) => Answer::new(200, JSON, json!({ "Account": account(estate, n) }).to_string()),
            None => missing("Account"),
        },
        ("DescribeOrganizationalUnit", _) => {
            match call.param("OrganizationalUnitId").and_then(|id| parent_unit(estate, id)) {
                Some(n) => Answer::new(200, JSON, json!({ "OrganizationalUnit": unit(estate, n) }).to_string()),
                None => missing("OrganizationalUnit"),
            }
        }
        ("DescribeOrganization", _) => {
            let master = estate.account_id(0);
            let body = json!({ "Organization": {
                "Id": ORGANIZATION,
                "Arn": format!("arn:aws:organizations::{master}:organization/{ORGANIZATION}"),
                "FeatureSet": "ALL",
                "MasterAccountArn": arn(estate, "account", &master),
                "MasterAccountId": master,
                "MasterAccountEmail": "account-0@example.com",
                "AvailablePolicyTypes": [],
            }});
            Answer::new(200, JSON, body.to_string())
        }
        _ => unknown(call, request_id),
    }
}

fn list(world: &World, call: &Call, set: &str, count: u64, request_id: &str, row: impl Fn(u64) -> Value) -> Answer {
    let asked = call.number("MaxResults").map(|asked| asked.min(PAGE));
    let Some(page) = world.page(&call.api, call.param("NextToken"), asked, PAGE, count) else {
        return error(call, 400, "InvalidInputException", "You specified an invalid value.", request_id);
    };
    let rows: Vec<Value> = (page.start..page.end).map(row).collect();
    let mut body = json!({ set: rows });
    if let Some(next) = page.next {
        body["NextToken"] = format!("next-{next}").into();
    }
    Answer::new(200, JSON, body.to_string())
}

fn arn(estate: &Estate, kind: &str, id: &str) -> String {
    format!("arn:aws:organizations::{}:{kind}/{ORGANIZATION}/{id}", estate.account_id(0))
}

fn account(estate: &Estate, index: u64) -> Value {
    let id = estate.account_id(index);
    let status = if estate.suspended(index) { "SUSPENDED" } else { "ACTIVE" };
    json!({
        "Arn": arn(estate, "account", &id),
        "Id": id,
        "Email": format!("account-{index}@example.com"),
        "Name": format!("account-{index:06}"),
        "Status": status,
        "State": status,
        "JoinedMethod": if index == 0 { "INVITED" } else { "CREATED" },
        "JoinedTimestamp": 1_600_000_000.0 + (index % 100_000_000) as f64,
    })
}

fn unit(estate: &Estate, index: u64) -> Value {
    let id = unit_id(index);
    json!({ "Arn": arn(estate, "ou", &id), "Id": id, "Name": format!("unit-{index:04}") })
}

fn unit_id(index: u64) -> String {
    format!("ou-head-{index:08}")
}

fn parent_unit(estate: &Estate, id: &str) -> Option<u64> {
    id.strip_prefix("ou-head-")?.parse().ok().filter(|unit| *unit < estate.ous)
}

fn parent(estate: &Estate, id: &str) -> Option<Parent> {
    if id == ROOT { Some(Parent::Root) } else { parent_unit(estate, id).map(Parent::Unit) }
}

/// The parent of an account: the management account is in the root, the others go round the units.
fn home(estate: &Estate, account: u64) -> Parent {
    if account == 0 || estate.ous == 0 { Parent::Root } else { Parent::Unit((account - 1) % estate.ous) }
}

type Nth = Box<dyn Fn(u64) -> u64>;

fn accounts_of(estate: &Estate, parent: Parent) -> (u64, Nth) {
    let ous = estate.ous;
    match parent {
        Parent::Root if ous == 0 => (estate.accounts, Box::new(|n| n)),
        Parent::Root => (1, Box::new(|_| 0)),
        Parent::Unit(unit) => {
            ((estate.accounts - 1).saturating_sub(unit).div_ceil(ous), Box::new(move |n| 1 + unit + n * ous))
        }
    }
}

fn units_of(estate: &Estate, parent: Parent) -> (u64, Nth) {
    match parent {
        Parent::Root => (estate.ous.div_ceil(2), Box::new(|n| 2 * n)),
        Parent::Unit(unit) if unit % 2 == 0 && unit + 1 < estate.ous => (1, Box::new(move |_| unit + 1)),
        Parent::Unit(_) => (0, Box::new(|n| n)),
    }
}
