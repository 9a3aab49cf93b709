//! Credentials that are kept until shortly before they expire, by whoever uses them.
//!
//! The client's own cache belongs to a whole process and forgets nothing; with many accounts it would only grow. Here
//! each account has its own, which is gone with the account's scopes.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, Result, SharedCredentialsProvider, future};
use tokio::sync::Mutex;

/// So long before they expire, credentials are fetched again.
const BEFORE: Duration = Duration::from_secs(300);

/// So long credentials are kept that do not say when they expire.
const UNTOLD: Duration = Duration::from_secs(900);

/// So long credentials that are still good are used after it failed to fetch others.
const RESPITE: Duration = Duration::from_secs(30);

/// A provider whose credentials are kept.
pub struct Kept {
    provider: SharedCredentialsProvider,
    /// The credentials, and how long they are used without asking again. Whoever waits here needs but one fetch.
    kept: Mutex<Option<(Credentials, SystemTime)>>,
}

impl Kept {
    /// Keeps what a provider provides.
    pub fn new(provider: impl ProvideCredentials + 'static) -> Self {
        Self { provider: SharedCredentialsProvider::new(provider), kept: Mutex::default() }
    }

    async fn credentials(&self) -> Result {
        let mut kept = self.kept.lock().await;
        let now = SystemTime::now();
        if let Some((credentials, _)) = kept.as_ref().filter(|(_, until)| now < *until) {
            return Ok(credentials.clone());
        }
        let old = kept.take().map(|(credentials, _)| credentials);
        let (credentials, until) = match (self.provider.provide_credentials().await, old) {
            (Ok(new), _) => {
                let until = keep_until(now, new.expiry());
                (new, until)
            }
            (Err(_), Some(old)) if old.expiry().is_some_and(|expiry| now < expiry) => (old, now + RESPITE),
            (Err(error), _) => return Err(error),
        };
        *kept = Some((credentials.clone(), until));
        Ok(credentials)
    }
}

/// Credentials that live but a few minutes are used for half of that.
fn keep_until(now: SystemTime, expiry: Option<SystemTime>) -> SystemTime {
    let Some(expiry) = expiry else { return now + UNTOLD };
    let lifetime = expiry.duration_since(now).unwrap_or_default();
    now + lifetime.saturating_sub(BEFORE).max(lifetime / 2)
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("provider", &self.provider).finish_non_exhaustive()
    }
}

impl ProvideCredentials for Kept {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use aws_credential_types::provider::error::CredentialsError;

    #[derive(Debug)]
    struct Counting {
        asked: Arc<AtomicUsize>,
        lifetime: Option<Duration>,
        good: usize,
    }

    impl ProvideCredentials for Counting {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let number = self.asked.fetch_add(1, Ordering::Relaxed);
            future::ProvideCredentials::ready(if number < self.good {
                let expiry = self.lifetime.map(|lifetime| SystemTime::now() + lifetime);
                Ok(Credentials::new("key", "secret", None, expiry, "test"))
            } else {
                Err(CredentialsError::not_loaded("no more"))
            })
        }
    }

    async fn ask(lifetime: Option<Duration>, good: usize, times: usize) -> (usize, bool) {
        let asked = Arc::new(AtomicUsize::new(0));
        let kept = Kept::new(Counting { asked: Arc::clone(&asked), lifetime, good });
        let mut well = true;
        for _ in 0..times {
            well = kept.provide_credentials().await.is_ok();
        }
        (asked.load(Ordering::Relaxed), well)
    }

    #[tokio::test]
    async fn credentials_are_fetched_once_as_long_as_they_last() {
        assert_eq!(ask(None, 9, 5).await, (1, true));
        assert_eq!(ask(Some(Duration::from_secs(3600)), 9, 5).await, (1, true));
        assert_eq!(ask(Some(Duration::ZERO), 9, 3).await, (3, true));
        assert_eq!(ask(Some(Duration::ZERO), 1, 2).await, (2, false), "expired ones are of no use");
        assert_eq!(ask(None, 0, 2).await, (2, false), "a failure is not kept");
    }

    #[test]
    fn short_lives_are_used_for_half() {
        let now = SystemTime::now();
        for (lifetime, kept) in [(3600, 3300), (600, 300), (400, 200), (0, 0)] {
            let until = keep_until(now, Some(now + Duration::from_secs(lifetime)));
            assert_eq!(until.duration_since(now).ok(), Some(Duration::from_secs(kept)), "{lifetime}");
        }
    }
}
