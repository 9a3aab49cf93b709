//! Credentials of a profile that a configuration names.

use aws_config::Region;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// The credentials of the profile `name`. A loader that is only told the profile's name takes the environment's
/// credentials where there are any; the profile that a configuration names counts before them. `region` is where
/// roles of the profile are assumed. Nothing is read before the first call.
pub fn credentials(name: &str, region: &str, http: SharedHttpClient) -> ProfileFileCredentialsProvider {
    let region = Some(Region::new(region.to_owned()));
    let config = ProviderConfig::without_region().with_region(region).with_http_client(http);
    ProfileFileCredentialsProvider::builder().configure(&config).profile_name(name).build()
}
