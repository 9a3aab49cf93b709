//! The AWS connector: accounts times regions, and a client for each service.

use std::sync::Arc;

use futures::stream::{BoxStream, StreamExt};
use headwater_sdk::api::{Api, Opened, WantedScopes};
use headwater_sdk::table::Anything;
use headwater_sdk::{CallLimits, Error, Result, async_trait, task};

use crate::opening::{Found, Opening, Place, title};
use crate::rates::{self, rates};
use crate::scope::Scope;
use crate::spec::Spec;
use crate::{Regions, Service, availability};

/// AWS, with the services that this build has.
pub struct AwsApi {
    spec: Arc<Spec>,
    services: Vec<Service>,
    regions: Option<Regions>,
}

impl AwsApi {
    /// The connector of a spec; what cannot work is said without a connection.
    pub fn new(spec: Spec, services: Vec<Service>, regions: Option<Regions>) -> Result<Self> {
        match spec.problem().or_else(|| rates::problem(&spec.limits, &services)) {
            Some(problem) => Err(Error::fatal(problem)),
            None => Ok(Self { spec: Arc::new(spec), services, regions }),
        }
    }
}

/// A line about an account that can be opened.
async fn describe(opening: &Opening, place: &Place) -> Result<String> {
    let account = opening.account(place);
    let told = |error: Error| error.while_doing(title(&account));
    let open = opening.opener.open(&account, place.principal.as_ref()).await.map_err(told)?;
    let regions = opening.regions(&account, &open).await.map_err(told)?;
    let plural = if regions.len() == 1 { "" } else { "s" };
    Ok(format!("account {} as {}, {} region{plural}", open.id, open.caller, regions.len()))
}

#[async_trait]
impl Api for AwsApi {
    type Scope = Scope;

    fn packages(&self) -> Vec<&'static str> {
        self.services.iter().map(|service| service.package).collect()
    }

    async fn check(&self) -> Result<Vec<String>> {
        let opening = Opening::new(&self.spec, self.regions);
        let mut lines = opening
            .places()
            .filter_map(|found| {
                std::future::ready(match found {
                    Found::Places(_) => None,
                    Found::Place(place) => Some(Ok(place)),
                    Found::Failed(what, error) => Some(Err(error.while_doing(what))),
                })
            })
            .map(|place| {
                let opening = Arc::clone(&opening);
                task::own(async move { describe(&opening, &place?).await })
            })
            .buffered(opening.at_once());
        let (mut all, mut failure, mut failures) = (Vec::new(), None, 0);
        while let Some(line) = lines.next().await {
            match line {
                Ok(line) => all.push(line),
                Err(error) => {
                    failure.get_or_insert(error);
                    failures += 1;
                }
            }
        }
        let Some(mut error) = failure else { return Ok(all) };
        if failures > 1 {
            error.message = format!("{} (the first of {failures} accounts that cannot be opened)", error.message);
        }
        Err(error)
    }

    fn scopes(self: Arc<Self>, wanted: WantedScopes) -> BoxStream<'static, Opened<Scope>> {
        Opening::new(&self.spec, self.regions).scopes(wanted)
    }

    fn offers(&self, package: &'static str, scope: &Scope) -> bool {
        // What stands behind a custom endpoint has regions of its own.
        if scope.global || self.spec.custom_endpoint_url.is_some() {
            return true;
        }
        let service = self.services.iter().find(|service| service.package == package);
        service.is_none_or(|service| availability::offers(service.id, &scope.region))
    }

    async fn client(&self, package: &'static str, scope: &Scope) -> Result<Anything> {
        let service = self.services.iter().find(|service| service.package == package);
        let service = service.ok_or_else(|| Error::fatal(format!("no service for the tables of {package}")))?;
        Ok(scope.client(service))
    }

    fn limits(&self) -> CallLimits {
        CallLimits {
            concurrency: self.spec.calls(),
            retries: self.spec.retries(),
            max_backoff: self.spec.longest_backoff(),
            rates: rates(&self.spec.limits),
            ..CallLimits::default()
        }
    }
}
