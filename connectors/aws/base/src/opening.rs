//! The accounts of a sync, opened one after another while others are read already.
//!
//! Nothing is kept of an account but its scopes, and of its id eight bytes: there may be a hundred thousand.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use aws_types::region::Region;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{BoxStream, StreamExt};
use headwater_sdk::api::{Opened, WantedScopes};
use headwater_sdk::{Error, Result, task};

use crate::Regions;
use crate::account::{OpenAccount, Opener};
use crate::organization;
use crate::regions::{self, global_region};
use crate::role::Principal;
use crate::scope::{GLOBAL, REGIONAL, Scope, scope_id};
use crate::spec::{Account, Spec, role_account};

/// How many accounts are opened at once, where the spec does not say it.
const AT_ONCE: usize = 32;

/// One step of finding the accounts.
pub enum Found {
    /// So many more accounts are known.
    Places(usize),
    /// An account.
    Place(Place),
    /// Accounts that could not be found: where, and why.
    Failed(String, Error),
}

/// An account that is to be opened.
pub struct Place {
    /// What is said about it.
    pub account: PlaceAccount,
    /// Whose credentials assume its role, where they are not those of its own profile.
    pub principal: Option<Arc<Principal>>,
}

/// Where it is said what is known of an account.
pub enum PlaceAccount {
    /// In the spec, at this place.
    Named(usize),
    /// Nowhere but here.
    Own(Box<Account>),
}

/// The accounts of one sync.
pub struct Opening {
    pub spec: Arc<Spec>,
    pub opener: Opener,
    list_regions: Option<Regions>,
    seen: Mutex<HashSet<u64>>,
}

impl Opening {
    pub fn new(spec: &Arc<Spec>, list_regions: Option<Regions>) -> Arc<Self> {
        let opener = Opener::new(Arc::clone(spec));
        Arc::new(Self { spec: Arc::clone(spec), opener, list_regions, seen: Mutex::default() })
    }

    /// How many accounts are opened at once.
    pub fn at_once(&self) -> usize {
        self.spec.initialization_concurrency.unwrap_or(AT_ONCE).max(1)
    }

    /// All accounts, in the order of the spec or of the organization.
    pub fn places(self: &Arc<Self>) -> BoxStream<'static, Found> {
        if self.spec.org.is_some() {
            return organization::places(Arc::clone(self));
        }
        let place = |account| Found::Place(Place { account, principal: None });
        let known = self.spec.accounts.len();
        if known == 0 {
            let default = place(PlaceAccount::Own(Box::default()));
            return futures::stream::iter([Found::Places(1), default]).boxed();
        }
        let accounts = (0..known).map(move |index| place(PlaceAccount::Named(index)));
        futures::stream::iter(std::iter::once(Found::Places(known)).chain(accounts)).boxed()
    }

    /// Opens the accounts and their scopes, each in a task that ends with the stream.
    pub fn scopes(self: &Arc<Self>, wanted: WantedScopes) -> BoxStream<'static, Opened<Scope>> {
        let opening = Arc::clone(self);
        let steps = self.places().map(move |found| opening.step(found, &wanted));
        steps.buffer_unordered(self.at_once()).flat_map(futures::stream::iter).boxed()
    }

    fn step(self: &Arc<Self>, found: Found, wanted: &WantedScopes) -> BoxFuture<'static, Vec<Opened<Scope>>> {
        let place = match found {
            Found::Places(count) => return std::future::ready(vec![Opened::Places(count)]).boxed(),
            Found::Failed(what, error) => return std::future::ready(vec![Opened::Failed(what, error)]).boxed(),
            Found::Place(place) => place,
        };
        // Where the id is known, the first of two equal accounts is read whichever would be opened first.
        let account = self.account(&place);
        if let Some(error) = known_id(&account).and_then(|(_, id)| self.again(id)) {
            return std::future::ready(vec![Opened::Failed(title(&account), error)]).boxed();
        }
        let (opening, wanted) = (Arc::clone(self), wanted.clone());
        task::own(async move { opening.open(&place, &wanted).await }).boxed()
    }

    /// What is said about an account.
    pub fn account<'a>(&'a self, place: &'a Place) -> Cow<'a, Account> {
        match &place.account {
            PlaceAccount::Named(index) => self.spec.accounts.get(*index).map(Cow::Borrowed).unwrap_or_default(),
            PlaceAccount::Own(account) => Cow::Borrowed(account),
        }
    }

    /// The error of an account that was there before.
    fn again(&self, id: &str) -> Option<Error> {
        let number: u64 = id.parse().ok()?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        (!seen.insert(number)).then(|| Error::fatal(format!("account {id} is there already; it is read once")))
    }

    async fn open(&self, place: &Place, wanted: &WantedScopes) -> Vec<Opened<Scope>> {
        let account = self.account(place);
        let named = self.spec.regions_of(&account);
        if known_id(&account).is_some_and(|(partition, id)| !self.is_wanted(partition, id, named, wanted)) {
            return vec![Opened::Open(Vec::new())];
        }
        let failed = |error| Opened::Failed(title(&account), error);
        let open = match self.opener.open(&account, place.principal.as_ref()).await {
            Ok(open) => open,
            Err(error) => return vec![failed(error)],
        };
        if known_id(&account).is_none()
            && let Some(error) = self.again(&open.id)
        {
            return vec![failed(error)];
        }
        let scope = |region: &str, global: bool| {
            let config = open.config.to_builder().region(Region::new(region.to_owned())).build();
            Arc::new(Scope::new((&open.id, &open.name), open.partition, region, global, config))
        };
        let mut scopes = Vec::new();
        if wanted.scope(GLOBAL, &open.id) {
            scopes.push((GLOBAL.name, scope(global_region(open.partition), true)));
        }
        let mut failure = None;
        if wanted.kind(REGIONAL) {
            match self.regions(&account, &open).await {
                Ok(mut regions) => {
                    regions.retain(|region| wanted.scope(REGIONAL, &scope_id(&open.id, Some(region))));
                    scopes.extend(regions.iter().map(|region| (REGIONAL.name, scope(region, false))));
                }
                Err(error) => failure = Some(failed(error)),
            }
        }
        let opened = (failure.is_none() || !scopes.is_empty()).then_some(Opened::Open(scopes));
        opened.into_iter().chain(failure).collect()
    }

    /// The regions to read in an account.
    pub async fn regions(&self, account: &Account, open: &OpenAccount) -> Result<Vec<String>> {
        regions::regions(self.spec.regions_of(account), open, self.list_regions).await
    }

    /// Whether anything is to be read in an account that is not open yet, as far as that can be known.
    fn is_wanted(&self, partition: &str, id: &str, named: &[String], wanted: &WantedScopes) -> bool {
        let partition = self.spec.custom_endpoint_partition_id.as_deref().unwrap_or(partition);
        let regional = || match regions::known(named).filter(|_| partition == "aws") {
            Some(regions) => regions.iter().any(|region| wanted.scope(REGIONAL, &scope_id(id, Some(region)))),
            None => wanted.kind(REGIONAL),
        };
        wanted.scope(GLOBAL, id) || regional()
    }
}

/// The partition and the id of an account of which they are known before it is open.
fn known_id(account: &Account) -> Option<(&str, &str)> {
    role_account(account.role_arn.as_deref()?)
}

/// What an account is called in messages.
pub fn title(account: &Account) -> String {
    match (account.id.as_str(), known_id(account)) {
        ("", Some((_, id))) => format!("account {id}"),
        ("", None) => "the default account".to_owned(),
        (name, Some((_, id))) if name != id => format!("account {name} ({id})"),
        (name, _) => format!("account {name}"),
    }
}

#[cfg(test)]
mod tests;
