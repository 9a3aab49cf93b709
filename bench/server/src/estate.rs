//! The estate: which rows there are, and how their ids follow from where they are.

use std::collections::{HashMap, HashSet};
use std::fmt::{self, Display, Write};

use crate::config::Config;
use crate::kind::{Kind, Place};
use crate::text::{key_id, key_number};

/// The id of account 0.
const FIRST: u64 = 100_000_000_000;

/// The index of an account that is named by its index or by its id.
pub fn account_index(account: u64) -> u64 {
    account.checked_sub(FIRST).unwrap_or(account)
}

/// The id of a resource of a region: `i-0` and sixteen digits that say where it is.
pub struct Id(pub &'static str, pub u64, pub usize, pub u64);

impl Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(prefix, account, region, index) = self;
        let mut number = (account << 40) | ((*region as u64) << 32) | index;
        let mut digits = [b'0'; 17];
        for digit in digits.iter_mut().rev() {
            *digit = b"0123456789abcdef"[number as usize % 16];
            number /= 16;
        }
        formatter.write_str(prefix)?;
        formatter.write_str(std::str::from_utf8(&digits).unwrap_or_default())
    }
}

/// All rows that there are, none of them stored.
#[derive(Debug)]
pub struct Estate {
    /// How many accounts there are.
    pub accounts: u64,
    /// The regions that are enabled.
    pub regions: Vec<String>,
    /// How many of them have resources.
    pub populated: usize,
    /// How many organizational units there are.
    pub ous: u64,
    /// Bytes that a row has at least.
    pub row_bytes: usize,
    suspended_every: Option<u64>,
    denied: HashSet<u64>,
    usual: [u64; Kind::COUNT],
    heavy: HashMap<u64, [u64; Kind::COUNT]>,
}

impl Estate {
    /// The estate of a configuration.
    pub fn new(config: &Config) -> Self {
        let usual = Kind::ALL.map(|kind| config.resources.get(&kind).copied().unwrap_or_else(|| kind.usual()));
        let mut heavy = HashMap::new();
        for other in &config.heavy {
            for account in &other.accounts {
                let counts = heavy.entry(account_index(*account)).or_insert(usual);
                other.resources.iter().for_each(|(kind, count)| counts[*kind as usize] = *count);
            }
        }
        let most = config.regions.len();
        Self {
            accounts: config.accounts,
            regions: config.regions.clone(),
            populated: if config.populated_regions == 0 { most } else { config.populated_regions.min(most) },
            ous: config.ous,
            row_bytes: config.row_bytes,
            suspended_every: config.suspended_every,
            denied: config.accounts_denied.iter().map(|account| account_index(*account)).collect(),
            usual,
            heavy,
        }
    }

    /// The id of an account: twelve digits.
    pub fn account_id(&self, account: u64) -> String {
        (FIRST + account).to_string()
    }

    /// The account of an id.
    pub fn account(&self, id: &str) -> Option<u64> {
        let account = id.parse::<u64>().ok()?.checked_sub(FIRST)?;
        (account < self.accounts).then_some(account)
    }

    /// Whether the account is suspended; the management account is not.
    pub fn suspended(&self, account: u64) -> bool {
        account > 0 && self.suspended_every.is_some_and(|every| account.is_multiple_of(every))
    }

    /// Whether a role can be assumed in the account.
    pub fn open(&self, account: u64) -> bool {
        !self.suspended(account) && !self.denied.contains(&account)
    }

    /// How many rows of a kind there are in each place of an account.
    pub fn count(&self, account: u64, kind: Kind) -> u64 {
        let counts = self.heavy.get(&account).unwrap_or(&self.usual);
        match kind {
            Kind::Accounts => self.accounts,
            // A user is a member of a group once.
            Kind::UserGroups => counts[kind as usize].min(counts[Kind::Groups as usize]),
            kind => counts[kind as usize],
        }
    }

    /// How many rows of a kind a client reads from all accounts in which a role can be assumed; of accounts it is all.
    pub fn rows(&self, kind: Kind) -> u64 {
        let of_account = |account| match kind.place() {
            Place::Organization => 0,
            Place::Account => self.count(account, kind),
            Place::Region => self.count(account, kind) * self.populated as u64,
            Place::Below(parent) => self.count(account, parent) * self.count(account, kind),
        };
        match kind {
            Kind::Accounts => self.accounts,
            _ => (0..self.accounts).filter(|account| self.open(*account)).map(of_account).sum(),
        }
    }

    /// The sum of `key_hash` of all keys of the rows that `rows` counts, whatever their order.
    pub fn checksum(&self, kind: Kind) -> u64 {
        let mut sum = 0_u64;
        self.each_key(kind, |key| sum = sum.wrapping_add(key_hash(key)));
        sum
    }

    /// Says the key of each row that `rows` counts: the account's id, the region of a regional kind, the name of the
    /// parent, and the row's own id or name, with `/` in between.
    pub fn each_key(&self, kind: Kind, mut say: impl FnMut(&str)) {
        let mut key = String::new();
        for account in 0..self.accounts {
            key.clear();
            key.push_str(&self.account_id(account));
            let own = key.len();
            match kind.place() {
                Place::Organization => say(&key),
                _ if !self.open(account) => {}
                Place::Account => {
                    for index in 0..self.count(account, kind) {
                        key.truncate(own);
                        self.add(&mut key, format_args!("/{}", self.name(kind, account, index)));
                        say(&key);
                    }
                }
                Place::Region => {
                    for region in 0..self.populated {
                        for index in 0..self.count(account, kind) {
                            key.truncate(own);
                            let id = Id(prefix(kind), account, region, index);
                            self.add(&mut key, format_args!("/{}/{id}", self.regions[region]));
                            say(&key);
                        }
                    }
                }
                Place::Below(parent) => {
                    for above in 0..self.count(account, parent) {
                        let name = self.name(parent, account, above);
                        for index in 0..self.count(account, kind) {
                            key.truncate(own);
                            let child = self.child(kind, account, above, index);
                            self.add(&mut key, format_args!("/{name}/{child}"));
                            say(&key);
                        }
                    }
                }
            }
        }
    }

    fn add(&self, key: &mut String, part: fmt::Arguments<'_>) {
        // Writing into a string does not fail.
        let _ = key.write_fmt(part);
    }

    /// The name of a row of an account.
    pub fn name(&self, kind: Kind, account: u64, index: u64) -> String {
        match kind {
            Kind::Buckets => format!("bucket-{}-{index:04}", FIRST + account),
            kind => format!("{}{index:06}", stem(kind)),
        }
    }

    /// The index of a row of an account by its name.
    pub fn index(&self, kind: Kind, account: u64, name: &str) -> Option<u64> {
        let index = name.strip_prefix(stem(kind))?.parse().ok()?;
        (index < self.count(account, kind)).then_some(index)
    }

    /// The account and the index of a bucket.
    pub fn bucket(&self, name: &str) -> Option<(u64, u64)> {
        let (account, index) = name.strip_prefix(stem(Kind::Buckets))?.split_once('-')?;
        let (account, index) = (self.account(account)?, index.parse().ok()?);
        (index < self.count(account, Kind::Buckets)).then_some((account, index))
    }

    /// The region that a bucket is in.
    pub fn bucket_region(&self, index: u64) -> &str {
        &self.regions[index as usize % self.regions.len()]
    }

    /// The id or the name of a row below another.
    pub fn child(&self, kind: Kind, account: u64, parent: u64, index: u64) -> String {
        match kind {
            Kind::UserGroups => {
                let groups = self.count(account, Kind::Groups).max(1);
                self.name(Kind::Groups, account, (parent + index) % groups)
            }
            Kind::UserAccessKeys => key_id("AKIA", packed(account, parent, index)),
            Kind::UserSigningCertificates => key_id("CERT", packed(account, parent, index)),
            Kind::UserSshPublicKeys => key_id("APKA", packed(account, parent, index)),
            Kind::UserMfaDevices => format!("mfa-{parent:06}-{index:02}"),
            kind => format!("{}{index:03}", stem(kind)),
        }
    }

    /// The user that an access key belongs to.
    pub fn user_of_key(&self, account: u64, key: &str) -> Option<u64> {
        let number = key_number("AKIA", key)?;
        let user = (number >> 24) as u64 & 0xffff_ffff;
        ((number >> 56) as u64 == account && user < self.count(account, Kind::Users)).then_some(user)
    }

    /// The index of a region by its name.
    pub fn region(&self, name: &str) -> Option<usize> {
        self.regions.iter().position(|region| region == name)
    }
}

/// One number for a row below another, of 80 bits.
pub fn packed(account: u64, parent: u64, index: u64) -> u128 {
    (u128::from(account) << 56) | (u128::from(parent) << 24) | u128::from(index)
}

/// What the id of a resource of a region begins with.
pub fn prefix(kind: Kind) -> &'static str {
    match kind {
        Kind::Instances => "i-",
        Kind::Volumes => "vol-",
        Kind::Vpcs => "vpc-",
        _ => "snap-",
    }
}

fn stem(kind: Kind) -> &'static str {
    match kind {
        Kind::Users => "user-",
        Kind::Roles => "role-",
        Kind::Groups => "group-",
        Kind::Policies => "policy-",
        Kind::Buckets => "bucket-",
        Kind::UserTags => "tag-",
        Kind::UserAttachedPolicies | Kind::GroupAttachedPolicies | Kind::RoleAttachedPolicies => "managed-",
        _ => "inline-",
    }
}

/// The hash of a key: FNV-1a of 64 bits.
pub fn key_hash(key: &str) -> u64 {
    key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
