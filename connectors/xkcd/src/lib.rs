//! xkcd comics: a connector for an HTTP JSON API whose structs are the rows.
//!
//! It needs no transcription: the struct that serde reads is the row, and `#[derive(Table)]` makes it a table. The
//! API is described at <https://xkcd.com/json.html>: `/info.0.json` is the newest comic, `/N/info.0.json` comic N.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{BoxStream, StreamExt};
use headwater_sdk::api::{Api, ApiConnector, Opened, WantedScopes};
use headwater_sdk::calls::{CallLimits, attempts};
use headwater_sdk::scope::Single as Scope;
use headwater_sdk::table::Anything;
use headwater_sdk::{Class, Connector, Error, Result, Scopes, Table, async_trait};
use reqwest::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;

/// There is one xkcd.
pub const SCOPES: Scopes = Scopes::SINGLE;

/// How often a comic that could not be had is asked for again.
const RETRIES: u32 = 5;

/// How many comics a page has.
const PAGE: u32 = 100;

/// A server that asks for a longer pause than this is not believed.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Comics of xkcd.
#[derive(Deserialize, Table)]
#[table(name = "xkcd_comics", list = client.comics(), key = num)]
pub struct Comic {
    /// The comic's number.
    num: i64,
    /// The title; it may hold HTML.
    title: String,
    /// The title as plain text.
    safe_title: String,
    /// The text that shows when the mouse rests on the picture.
    alt: String,
    /// The address of the picture.
    img: String,
    /// Where a click on the picture leads, for a few comics.
    link: String,
    /// News of the day.
    news: String,
    /// What is seen and said in the picture, for older comics.
    transcript: String,
    /// The year in which it came out.
    year: String,
    /// The month.
    month: String,
    /// The day of the month.
    day: String,
    /// The comic's own page.
    #[serde(skip)]
    #[column(value = format!("{}/{}/", client.url, row.num))]
    page: String,
}

/// Spec of the `xkcd` source.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Spec {
    /// Where the API is. Default: the real one.
    pub url: Option<String>,
    /// How many comics are fetched at once. Default: 8.
    pub concurrency: Option<usize>,
}

/// The API's client.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    concurrency: usize,
}

impl Client {
    /// A client of a spec.
    fn new(spec: &Spec) -> Result<Self> {
        let url = spec.url.as_deref().unwrap_or("https://xkcd.com").trim_end_matches('/').to_owned();
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            return Err(Error::fatal("`url` must begin with http:// or https://"));
        }
        // Whoever else set a provider for the process set ring too; then this changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().user_agent("headwater").timeout(Duration::from_secs(30));
        let http = http.build().map_err(|error| Error::fatal(format!("HTTP client: {error}")))?;
        Ok(Self { http, url, concurrency: spec.concurrency.unwrap_or(8).clamp(1, 64) })
    }

    /// A comic, or nothing where the number was never given out (404 is such a one).
    async fn comic(&self, number: Option<i64>) -> Result<Option<Comic>> {
        let url = match number {
            Some(number) => format!("{}/{number}/info.0.json", self.url),
            None => format!("{}/info.0.json", self.url),
        };
        attempts("xkcd comic", || self.ask(&url, number.is_some())).await
    }

    /// `optional` is whether the answer may be that there is no such comic.
    async fn ask(&self, url: &str, optional: bool) -> Result<Option<Comic>> {
        let answer = self.http.get(url).send().await.map_err(|error| connection(url, error))?;
        match answer.status() {
            StatusCode::NOT_FOUND if optional => Ok(None),
            status if status.is_success() => answer.json().await.map(Some).map_err(|error| connection(url, error)),
            status => {
                let class = match status.as_u16() {
                    429 => Class::Throttled,
                    401 | 403 => Class::Denied,
                    500.. => Class::Transient,
                    _ => Class::Fatal,
                };
                let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
                let retry_after = retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
                let error = Error::new(class, format!("GET {url} answered {status}"))
                    .with_code(format!("HTTP{}", status.as_u16()));
                Err(Error { retry_after: retry_after.map(|pause| pause.min(LONGEST_PAUSE)), ..error })
            }
        }
    }

    /// All comics, page by page from the first to the newest.
    fn comics(&self) -> BoxStream<'static, Result<Vec<Comic>>> {
        let client = self.clone();
        futures::stream::once(async move {
            let newest = client.comic(None).await?.map_or(0, |comic| comic.num);
            Ok::<_, Error>((client, newest))
        })
        .flat_map(|start| match start {
            Err(error) => futures::stream::iter([Err(error)]).boxed(),
            Ok((client, newest)) => {
                let pages = (1..=newest).step_by(PAGE as usize);
                futures::stream::iter(pages)
                    .then(move |first| {
                        let client = client.clone();
                        async move {
                            let numbers: Vec<i64> = (first..=newest.min(first + i64::from(PAGE) - 1)).collect();
                            let comics = numbers.into_iter().map(|number| client.comic(Some(number)));
                            let comics: Vec<_> = comics.collect();
                            let page: Vec<Result<Option<Comic>>> =
                                futures::stream::iter(comics).buffered(client.concurrency).collect().await;
                            page.into_iter().filter_map(Result::transpose).collect()
                        }
                    })
                    .boxed()
            }
        })
        .boxed()
    }
}

fn connection(url: &str, error: reqwest::Error) -> Error {
    let class = if error.is_decode() { Class::Fatal } else { Class::Transient };
    let mut text = error.without_url().to_string();
    if class == Class::Transient {
        text.push_str("; is anything listening there?");
    }
    Error::new(class, text).with_code("Connection").while_doing(format_args!("GET {url}"))
}

struct Xkcd(Client);

#[async_trait]
impl Api for Xkcd {
    type Scope = Scope;

    fn packages(&self) -> Vec<&'static str> {
        vec![env!("CARGO_PKG_NAME")]
    }

    async fn check(&self) -> Result<Vec<String>> {
        let newest = self.0.comic(None).await?.map_or(0, |comic| comic.num);
        Ok(vec![format!("{} answers; the newest comic is {newest}", self.0.url)])
    }

    fn scopes(self: Arc<Self>, _: WantedScopes) -> BoxStream<'static, Opened<Scope>> {
        // One call shows whether the API is there at all, before any destination is touched.
        let open = futures::stream::once(async move {
            match self.0.comic(None).await {
                Ok(_) => Opened::Open(vec![(SCOPES.name, Arc::new(Scope))]),
                Err(error) => Opened::Failed(self.0.url.clone(), error),
            }
        });
        futures::stream::iter([Opened::Places(1)]).chain(open).boxed()
    }

    async fn client(&self, _: &'static str, _: &Scope) -> Result<Anything> {
        Ok(Arc::new(self.0.clone()))
    }

    fn limits(&self) -> CallLimits {
        CallLimits { concurrency: self.0.concurrency, retries: RETRIES, ..CallLimits::default() }
    }
}

/// The connector of a spec. Nothing is called; a spec that cannot work is an error.
pub fn connector(spec: Spec) -> Result<Arc<dyn Connector>> {
    Ok(Arc::new(ApiConnector::new(Xkcd(Client::new(&spec)?))))
}
