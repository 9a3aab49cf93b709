//! The accounts of an organization, listed page by page while the first of them are opened already.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use aws_sdk_organizations::error::SdkError;
use aws_sdk_organizations::types::{Account as Listed, AccountState, AccountStatus, ChildType};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use futures::stream::{BoxStream, StreamExt};
use headwater_sdk::{Class, Error, Result};
use tokio::runtime::Builder;
use tokio::sync::mpsc::{Sender, channel};
use tokio::task::JoinSet;

use crate::account::OpenAccount;
use crate::errors::{Failure, error};
use crate::http;
use crate::opening::{Found, Opening, Place, PlaceAccount};
use crate::role::Principal;
use crate::spec::{Account, Org};

/// What the listing is called where it fails.
const TITLE: &str = "the organization";

/// How many accounts wait to be opened while others are. A page has but twenty, and no page can be asked for before the
/// one in front of it came: the listing is never to wait where it need not.
const AHEAD: usize = 1000;

/// The accounts of the organization. The listing ends with the stream.
pub fn places(opening: Arc<Opening>) -> BoxStream<'static, Found> {
    let (sender, found) = channel(AHEAD);
    let mut task = JoinSet::new();
    task.spawn(async move {
        let Some(org) = opening.spec.org.clone() else { return };
        let listed = match open(&opening, org).await {
            Ok(listing) => list(listing, sender.clone()).await,
            Err(error) => Err(error),
        };
        if let Err(error) = listed {
            // Whoever does not listen any more need not be told.
            let _ = sender.send(Found::Failed(TITLE.to_owned(), error)).await;
        }
    });
    let places = futures::stream::unfold((found, task), |(mut found, mut task)| async move {
        if let Some(step) = found.recv().await {
            return Some((step, (found, task)));
        }
        match task.join_next().await {
            Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            _ => None,
        }
    });
    places.boxed()
}

async fn open(opening: &Opening, org: Org) -> Result<Listing> {
    let default = Account::default();
    let admin = opening.opener.open(org.admin_account.as_ref().unwrap_or(&default), None).await;
    let admin = admin.map_err(|error| error.while_doing("org.admin_account"))?;
    // Connections belong to the thread on which they are opened.
    let config = opening.opener.retrying(&admin.config).to_builder().http_client(http::client()).build();
    let principal = match &org.member_trusted_principal {
        Some(principal) => {
            let opened = opening.opener.open(principal, None).await;
            opened.map_err(|error| error.while_doing("org.member_trusted_principal"))?
        }
        None => admin,
    };
    Ok(Listing {
        client: aws_sdk_organizations::Client::new(&config),
        credentials: Principal::new(principal.config.clone()),
        principal,
        skipped: org.skip_member_accounts.iter().cloned().collect(),
        org,
    })
}

/// Lists on a thread of its own: page follows page, and what each of their steps would wait for among thousands of
/// ready tasks is time in which no account is found.
async fn list(listing: Listing, sender: Sender<Found>) -> Result<()> {
    let thread = tokio::task::spawn_blocking(move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::fatal(format!("no thread can be started: {error}")))?;
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = sender.closed() => Ok(()),
                listed = listing.all(&sender) => listed,
            }
        })
    });
    match thread.await {
        Ok(listed) => listed,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // It was never started, because the whole run ends.
        Err(_) => Ok(()),
    }
}

struct Listing {
    client: aws_sdk_organizations::Client,
    org: Org,
    /// The account whose credentials assume the roles of the others.
    principal: OpenAccount,
    credentials: Arc<Principal>,
    skipped: HashSet<String>,
}

impl Listing {
    /// All accounts that are asked for.
    async fn all(&self, sender: &Sender<Found>) -> Result<()> {
        let found = match self.org.organization_units.is_empty() && self.org.skip_organization_units.is_empty() {
            true => self.everywhere(sender).await?,
            false => self.units(sender).await?,
        };
        match found {
            0 => Err(Error::fatal("no account was found that is active and not skipped")),
            _ => Ok(()),
        }
    }

    /// The accounts of the whole organization; answers how many there are.
    async fn everywhere(&self, sender: &Sender<Found>) -> Result<usize> {
        let mut found = 0;
        let mut pages = self.client.list_accounts().into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|failure| denied("organizations ListAccounts", &failure))?;
            found += self.found(page.accounts.unwrap_or_default(), sender).await;
        }
        Ok(found)
    }

    /// The accounts of the units and of those below them, breadth first; answers how many there are.
    async fn units(&self, sender: &Sender<Found>) -> Result<usize> {
        let mut found = 0;
        let mut next: VecDeque<String> = self.org.organization_units.iter().cloned().collect();
        if next.is_empty() {
            next = self.roots().await?;
        }
        let mut seen: HashSet<String> = self.org.skip_organization_units.iter().cloned().collect();
        while let Some(unit) = next.pop_front() {
            if !seen.insert(unit.clone()) {
                continue;
            }
            let mut pages = self.client.list_accounts_for_parent().parent_id(&unit).into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|failure| denied("organizations ListAccountsForParent", &failure))?;
                found += self.found(page.accounts.unwrap_or_default(), sender).await;
            }
            let children = self.client.list_children().parent_id(&unit).child_type(ChildType::OrganizationalUnit);
            let mut pages = children.into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|failure| denied("organizations ListChildren", &failure))?;
                next.extend(page.children.unwrap_or_default().into_iter().filter_map(|child| child.id));
            }
        }
        Ok(found)
    }

    async fn roots(&self) -> Result<VecDeque<String>> {
        let mut roots = VecDeque::new();
        let mut pages = self.client.list_roots().into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|failure| denied("organizations ListRoots", &failure))?;
            roots.extend(page.roots.unwrap_or_default().into_iter().filter_map(|root| root.id));
        }
        Ok(roots)
    }

    /// Hands on those accounts of a page that are to be read, and answers how many they are.
    async fn found(&self, page: Vec<Listed>, sender: &Sender<Found>) -> usize {
        let members = page.into_iter().filter(is_active).filter_map(|account| {
            let id = account.id?;
            (!self.skipped.contains(&id)).then(|| (id, account.name.unwrap_or_default()))
        });
        let members: Vec<(String, String)> = members.collect();
        let count = members.len();
        // Whoever does not listen any more need not be told.
        let _ = sender.send(Found::Places(count)).await;
        for (id, name) in members {
            let account = Box::new(member(&self.org, &self.principal, &id, name));
            let place = Place { account: PlaceAccount::Own(account), principal: Some(Arc::clone(&self.credentials)) };
            let _ = sender.send(Found::Place(place)).await;
        }
        count
    }
}

/// How a member is opened: by its role, but for the account whose credentials they all are.
fn member(org: &Org, principal: &OpenAccount, id: &str, name: String) -> Account {
    let role = || format!("arn:{}:iam::{id}:role/{}", principal.partition, org.member_role_name);
    Account {
        id: if name.is_empty() { id.to_owned() } else { name },
        role_arn: (id != principal.id).then(role),
        role_session_name: org.member_role_session_name.clone(),
        external_id: org.member_external_id.clone(),
        regions: org.member_regions.clone(),
        ..Account::default()
    }
}

/// An account that is suspended, being closed or not yet there answers no calls.
fn is_active(account: &Listed) -> bool {
    match (&account.state, &account.status) {
        (Some(state), _) => *state == AccountState::Active,
        (None, status) => *status == Some(AccountStatus::Active),
    }
}

/// The error of a call that lists, with the permission that it takes.
fn denied<E: Failure>(call: &str, failure: &SdkError<E, HttpResponse>) -> Error {
    let error = error(call, failure);
    match &error.permission {
        Some(permission) if error.class == Class::Denied => {
            let message = format!(
                "{}; the credentials of `org.admin_account` need the permission {permission}, in the management account \
                 of the organization or in one that it has delegated to",
                error.message
            );
            Error { message, ..error }
        }
        _ => error,
    }
}
