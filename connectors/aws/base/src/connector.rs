//! The AWS connector: accounts times regions, and a client for each service.

use std::sync::Arc;

use futures::stream::StreamExt;
use headwater_sdk::api::{Api, ApiScopes};
use headwater_sdk::table::Anything;
use headwater_sdk::{Error, Result, Scopes, async_trait};

use crate::account::{self, OpenAccount, global_region};
use crate::scope::{GLOBAL, REGIONAL, Scope};
use crate::spec::{Account, Spec};
use crate::{Regions, Service, http};
use aws_types::region::Region;

/// AWS, with the services that this build has.
pub struct AwsApi {
    spec: Spec,
    services: Vec<Service>,
    regions: Option<Regions>,
}

impl AwsApi {
    /// The connector of a spec; what cannot work is said without a connection.
    pub fn new(spec: Spec, services: Vec<Service>, regions: Option<Regions>) -> Result<Self> {
        match spec.problem() {
            Some(problem) => Err(Error::fatal(problem)),
            None => Ok(Self { spec, services, regions }),
        }
    }

    fn accounts(&self) -> Vec<Account> {
        if self.spec.accounts.is_empty() { vec![Account::default()] } else { self.spec.accounts.clone() }
    }

    /// Opens all accounts, a few at a time; each with its name and what came of it, in the order of the spec.
    async fn open(&self) -> Vec<(Account, Result<OpenAccount>)> {
        let at_once = self.spec.initialization_concurrency.unwrap_or(4).max(1);
        let http = http::client();
        let opened = self.accounts().into_iter().map(|account| {
            let http = http.clone();
            async move {
                let open = account::open(&self.spec, &account, http).await;
                (account, open)
            }
        });
        futures::stream::iter(opened).buffered(at_once).collect().await
    }
}

/// What an account is called in messages.
fn title(account: &Account) -> String {
    match (&account.id, &account.role_arn) {
        (id, _) if !id.is_empty() => format!("account {id}"),
        (_, Some(role)) => format!("account of {role}"),
        _ => "the default account".to_owned(),
    }
}

#[async_trait]
impl Api for AwsApi {
    type Scope = Scope;

    fn packages(&self) -> Vec<&'static str> {
        self.services.iter().map(|service| service.package).collect()
    }

    async fn check(&self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        for (account, open) in self.open().await {
            let open = open.map_err(|error| error.while_doing(title(&account)))?;
            let regions = account::regions(&self.spec, &account, &open, self.regions).await;
            let regions = regions.map_err(|error| error.while_doing(title(&account)))?;
            let plural = if regions.len() == 1 { "" } else { "s" };
            lines.push(format!("account {} as {}, {} region{plural}", open.id, open.caller, regions.len()));
        }
        Ok(lines)
    }

    async fn scopes(&self, kinds: &[Scopes]) -> Result<ApiScopes<Scope>> {
        let regional = kinds.iter().any(|kind| kind.name == REGIONAL.name);
        let global = kinds.iter().any(|kind| kind.name == GLOBAL.name);
        let mut scopes = ApiScopes { open: Vec::new(), failures: Vec::new() };
        let mut seen: Vec<String> = Vec::new();
        for (account, open) in self.open().await {
            let open = match open {
                Ok(open) if seen.contains(&open.id) => {
                    let error = Error::fatal(format!("account {} is there already; it is read once", open.id));
                    scopes.failures.push((title(&account), error));
                    continue;
                }
                Ok(open) => open,
                Err(error) => {
                    scopes.failures.push((title(&account), error));
                    continue;
                }
            };
            seen.push(open.id.clone());
            let scope = |region: &str, global: bool| {
                let config = open.config.to_builder().region(Region::new(region.to_owned())).build();
                Arc::new(Scope::new((&open.id, &open.name), open.partition, region, global, config))
            };
            if global {
                scopes.open.push((GLOBAL.name, scope(global_region(open.partition), true)));
            }
            if regional {
                match account::regions(&self.spec, &account, &open, self.regions).await {
                    Ok(regions) => {
                        scopes.open.extend(regions.iter().map(|region| (REGIONAL.name, scope(region, false))));
                    }
                    Err(error) => scopes.failures.push((title(&account), error)),
                }
            }
        }
        Ok(scopes)
    }

    async fn client(&self, package: &'static str, scope: &Scope) -> Result<Anything> {
        let service = self.services.iter().find(|service| service.package == package);
        let service = service.ok_or_else(|| Error::fatal(format!("no service for the tables of {package}")))?;
        Ok(scope.client(service))
    }

    fn concurrency(&self) -> usize {
        self.spec.calls()
    }
}
