//! A small API in memory, for tests of the derives.

#![allow(dead_code)]

use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};
use headwater_sdk::scope::ScopeColumn;
use headwater_sdk::{Error, Get, List, Record, Result, Scopes};

/// One region of the API.
pub struct Scope {
    pub region: String,
}

impl headwater_sdk::Scope for Scope {
    fn id(&self) -> String {
        self.region.clone()
    }
    fn value(&self, column: &str) -> Option<&str> {
        (column == "region").then_some(&self.region)
    }
}

pub const SCOPES: Scopes =
    Scopes { name: "regional", columns: &[ScopeColumn { name: "region", description: "The region." }] };

/// A thing.
#[derive(Clone, Record)]
#[record(rename_all = "PascalCase")]
pub struct Thing {
    /// The thing's id.
    pub thing_id: Option<String>,
    /// How large it is.
    pub size: i64,
    /// What it is made of.
    pub parts: Option<Vec<Part>>,
}

/// A part of a thing.
#[derive(Clone, Record)]
#[record(rename_all = "PascalCase")]
pub struct Part {
    pub name: Option<String>,
    #[record(rename = "SKU")]
    pub sku: String,
    #[record(sensitive)]
    pub secret: Option<String>,
}

/// More about a thing.
#[derive(Clone, Record)]
pub struct Detail {
    /// Its color.
    pub color: Option<String>,
    /// Its weight.
    pub weight: Option<f64>,
}

#[derive(Clone, Default)]
pub struct Client {
    /// Things that have no detail.
    pub bare: Vec<String>,
    /// Whether the second page of things fails.
    pub broken: bool,
}

pub struct Things(Vec<Vec<Result<Thing>>>);
pub struct Details(Result<Option<Detail>>);
pub struct NotTranscribed;

impl Client {
    pub fn list_things(&self) -> Things {
        let thing = |id: &str, size, parts| Thing { thing_id: Some(id.to_owned()), size, parts };
        let part = Part { name: None, sku: "A-1".to_owned(), secret: Some("hidden".to_owned()) };
        let broken = Err(Error::fatal("the API is broken").with_code("Broken"));
        let second = if self.broken { broken } else { Ok(thing("b", 2, None)) };
        Things(vec![vec![Ok(thing("a", 1, Some(vec![part])))], vec![second]])
    }
    pub fn list_parts(&self, of: &Thing) -> BoxStream<'static, Result<Vec<Part>>> {
        let parts = of.parts.clone().unwrap_or_default();
        futures::stream::once(async move {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            Ok(parts)
        })
        .boxed()
    }
    pub fn get_detail(&self, id: &Option<String>) -> Details {
        let bare = id.as_ref().is_some_and(|id| self.bare.contains(id));
        let missing = || Error::new(headwater_sdk::Class::NotFound, "no detail").with_code("NoDetail");
        Details(if bare { Err(missing()) } else { Ok(Some(Detail { color: Some("red".to_owned()), weight: None })) })
    }
    pub fn not_transcribed(&self) -> NotTranscribed {
        NotTranscribed
    }
}

impl List<Thing> for Things {
    fn pages(self) -> BoxStream<'static, Result<Vec<Thing>>> {
        futures::stream::iter(self.0.into_iter().map(|page| page.into_iter().collect())).boxed()
    }
}

impl Get<Detail> for Details {
    fn get(self) -> BoxFuture<'static, Result<Option<Detail>>> {
        // A call that is not answered at once shows who waits for whom.
        Box::pin(async move {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            self.0
        })
    }
}
