//! What the configuration says about the bucket.

use std::path::PathBuf;

use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::types::{ObjectCannedAcl, ServerSideEncryption};
use headwater_objects::{Compression, Format, FormatSpec, Layout};
use headwater_sdk::{Error, Result};
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

/// How often a call is made again, where the spec does not say it.
const RETRIES: u32 = 5;

/// Where and how the S3 destination writes.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The bucket, which must exist.
    #[schemars(length(min = 1))]
    pub bucket: String,
    /// The region that the bucket is in. By default that of the environment or the profile.
    #[serde(default)]
    pub region: Option<String>,
    /// A folder such as `lake`, or an object's name with placeholders such as `lake/{{TABLE}}/{{UNIT}}.{{FORMAT}}`.
    /// A folder FOLDER means `FOLDER/{{TABLE}}/{{UNIT}}.{{FORMAT}}`, and in write mode `append`
    /// `FOLDER/{{TABLE}}/{{SYNC_ID}}.{{UNIT}}.{{FORMAT}}`. The placeholders: `{{TABLE}}`, `{{TABLE_HYPHEN}}` (with
    /// hyphens for underscores); `{{UNIT}}` (source and scope, such as `aws.123456789012.eu-west-1`); `{{SOURCE}}`;
    /// `{{FORMAT}}` (the extension); and only in `append` `{{SYNC_ID}}` (the sync's start), `{{YEAR}}`, `{{MONTH}}`,
    /// `{{DAY}}`, `{{HOUR}}`, `{{MINUTE}}` (the same start, in UTC) and `{{UUID}}` (another one for each object). Hive
    /// partitions are written as `table={{TABLE}}/year={{YEAR}}/{{UUID}}.{{FORMAT}}`.
    #[schemars(length(min = 1))]
    pub path: String,
    /// The objects' format.
    #[serde(default)]
    pub format: Format,
    /// Details of the format.
    #[serde(default)]
    pub format_spec: FormatSpec,
    /// How the objects are compressed. Parquet: `zstd` (the default) or `none`. JSON Lines and CSV: `none` (the default)
    /// or `gzip`.
    #[serde(default)]
    pub compression: Compression,
    /// The URL of a server that speaks S3's protocol, instead of Amazon's.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Whether the bucket stands in the path of the endpoint's URLs rather than in the server's name.
    #[serde(default)]
    pub use_path_style: bool,
    /// Certificates in PEM of those who may certify the endpoint, beside those that the system trusts. Those who give
    /// credentials are only verified by them where `endpoint` is not set.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Whether the endpoint's certificate is not verified. Whoever stands in between can then read and change what is
    /// written; `ca_file` is the better way.
    #[serde(default)]
    pub endpoint_skip_tls_verify: bool,
    /// The profile of AWS's configuration files whose credentials are used.
    #[serde(default)]
    pub local_profile: Option<String>,
    /// A role to assume.
    #[serde(default)]
    pub role_arn: Option<String>,
    /// The name of the role's session.
    #[serde(default)]
    pub role_session_name: Option<String>,
    /// What the role's trust policy asks for.
    #[serde(default)]
    pub external_id: Option<String>,
    /// The access key, where it is another one than that of the environment or the profile. Write it as `${NAME}` or
    /// `${file:path}`.
    #[serde(default)]
    pub access_key_id: Option<String>,
    /// The secret of the access key.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub secret_access_key: Option<SecretString>,
    /// The token that belongs to an access key for some time.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub session_token: Option<SecretString>,
    /// How the objects are encrypted. By default as the bucket says.
    #[serde(default)]
    pub server_side_encryption_configuration: Option<Encryption>,
    /// Who else may do what with the objects: a canned ACL such as `bucket-owner-full-control`.
    #[serde(default)]
    pub acl: Option<String>,
    /// The objects' `Content-Type`. By default that of the format.
    #[serde(default)]
    pub content_type: Option<String>,
    /// Whether it is made sure that objects may be written before a sync begins; `true` by default. Nothing is written
    /// for it.
    #[serde(default)]
    pub test_write: Option<bool>,
    /// Whether a checksum is sent with what is written, beside what TLS does; by default with Amazon's servers, because
    /// not all others know how.
    #[serde(default)]
    pub checksums: Option<bool>,
    /// How often a call that failed for a passing reason is made again; by default 5.
    #[serde(default)]
    pub max_retries: Option<u32>,
    /// Accepted from CloudQuery's configurations. It has no effect on Parquet and CSV, where JSON is text; with JSON
    /// Lines it is refused.
    #[serde(default)]
    pub athena: bool,
    /// Accepted from CloudQuery's configurations as `false`: a unit without rows has no object.
    #[serde(default)]
    pub write_empty_objects_for_empty_tables: bool,
    /// Accepted from CloudQuery's configurations as `false`: a unit is one object, whatever its size.
    #[serde(default)]
    pub no_rotate: bool,
    /// Accepted from CloudQuery's configurations; it has no effect, because a unit is one object, whatever its size.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub batch_size: Option<u64>,
    /// Accepted from CloudQuery's configurations; it has no effect, because a unit is one object, whatever its size.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub batch_size_bytes: Option<u64>,
    /// Accepted from CloudQuery's configurations; it has no effect, because a unit is one object, whatever its size.
    #[serde(default)]
    pub batch_timeout: Option<String>,
}

/// How objects are encrypted where they are stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Encryption {
    /// `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub server_side_encryption: String,
    /// The key, for those of KMS; by default the account's own.
    #[serde(default)]
    pub sse_kms_key_id: Option<String>,
}

/// Whose credentials are used.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The profile.
    pub profile: Option<String>,
    /// An access key, its secret, and its token.
    pub key: Option<(String, SecretString, Option<SecretString>)>,
    /// A role to assume: its ARN, the session's name, and the external id.
    pub role: Option<(String, Option<String>, Option<String>)>,
}

/// Who may certify the endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Those that the system trusts.
    System,
    /// Those in a file too.
    File(PathBuf),
    /// It is not asked.
    Anyone,
}

/// A spec that has been checked.
#[derive(Debug, Clone)]
pub struct Settings {
    pub bucket: String,
    pub region: Option<String>,
    /// What the names of all objects begin with.
    pub root: String,
    pub endpoint: Option<String>,
    pub path_style: bool,
    pub trust: Trust,
    pub identity: Identity,
    pub encryption: Option<(ServerSideEncryption, Option<String>)>,
    pub acl: Option<ObjectCannedAcl>,
    pub content_type: String,
    pub test_write: bool,
    /// Whether checksums are sent beside the bytes.
    pub checksums: bool,
    pub max_retries: u32,
}

impl Settings {
    /// A call that puts an object, with what all objects have: policies of buckets may refuse those without.
    pub fn dress(&self, call: PutObjectFluentBuilder) -> PutObjectFluentBuilder {
        let (encryption, key) = self.encryption.clone().unzip();
        let call = call.bucket(&self.bucket).set_acl(self.acl.clone());
        call.set_server_side_encryption(encryption).set_ssekms_key_id(key.flatten())
    }
}

impl Spec {
    /// What it says about the objects.
    pub fn layout(&self) -> Layout<'_> {
        Layout {
            path: &self.path,
            format: self.format,
            format_spec: self.format_spec.clone(),
            compression: self.compression,
            no_rotate: self.no_rotate,
            batch_sizes: [self.batch_size, self.batch_size_bytes],
        }
    }

    /// What it says about the bucket; an error says which value cannot work, and what would. Nothing is connected to.
    pub fn settings(&self, layout: &headwater_objects::Settings) -> Result<Settings> {
        if let Some(problem) = self.problem() {
            return Err(Error::fatal(problem));
        }
        Ok(Settings {
            bucket: self.bucket.clone(),
            region: self.region.clone(),
            root: layout.template.root().to_owned(),
            endpoint: self.endpoint.clone(),
            path_style: self.use_path_style,
            trust: match &self.ca_file {
                _ if self.endpoint_skip_tls_verify => Trust::Anyone,
                Some(file) => Trust::File(file.clone()),
                None => Trust::System,
            },
            identity: self.identity()?,
            encryption: self.encryption()?,
            acl: self.acl()?,
            content_type: match self.content_type.as_deref() {
                None | Some("") => layout.content_type().to_owned(),
                Some(other) => other.to_owned(),
            },
            test_write: self.test_write.unwrap_or(true),
            checksums: self.checksums.unwrap_or(self.endpoint.is_none()),
            max_retries: self.max_retries.unwrap_or(RETRIES),
        })
    }

    fn problem(&self) -> Option<String> {
        let path = &self.path;
        if self.bucket.is_empty() || self.bucket.contains(['/', ':']) {
            let bucket = &self.bucket;
            return Some(format!(
                "`bucket: {bucket}` is not the name of a bucket, such as my-lake; folders go into `path`"
            ));
        }
        if path.starts_with('/') || path.contains("//") || path.split('/').any(|name| name == "." || name == "..") {
            return Some(format!(
                "`path: {path}` is not the beginning of an object's name: it has no / in front, no // and no . or .. as \
                 a folder"
            ));
        }
        if let Some(endpoint) = &self.endpoint
            && !endpoint.starts_with("http://")
            && !endpoint.starts_with("https://")
        {
            return Some(format!("`endpoint: {endpoint}` is not a URL, such as https://minio.example.com:9000"));
        }
        if self.endpoint_skip_tls_verify && (self.endpoint.is_none() || self.ca_file.is_some()) {
            return Some(
                "`endpoint_skip_tls_verify: true` is for an `endpoint` of your own whose certificate is in no `ca_file`; \
                 leave it out"
                    .to_owned(),
            );
        }
        if self.athena && matches!(self.format, Format::Json | Format::Jsonl) {
            return Some(
                "`athena: true` would change the keys inside of JSON columns; set `format: parquet`, in which JSON is \
                 text that Athena's json_extract reads, or leave `athena` out"
                    .to_owned(),
            );
        }
        if self.write_empty_objects_for_empty_tables {
            return Some(
                "`write_empty_objects_for_empty_tables: true` cannot be done, because a unit without rows has no object; \
                 leave it out"
                    .to_owned(),
            );
        }
        None
    }

    fn identity(&self) -> Result<Identity> {
        let key = match (&self.access_key_id, &self.secret_access_key) {
            (Some(key), Some(secret)) => Some((key.clone(), secret.clone(), self.session_token.clone())),
            (None, None) if self.session_token.is_none() => None,
            (Some(_), None) => return Err(Error::fatal("`access_key_id` needs `secret_access_key`")),
            (None, _) => return Err(Error::fatal("`access_key_id` is missing, to which the secret belongs")),
        };
        if key.is_some() && self.local_profile.is_some() {
            return Err(Error::fatal("`local_profile` and `access_key_id` cannot both be there; leave one out"));
        }
        let role = self.role_arn.clone().map(|role| (role, self.role_session_name.clone(), self.external_id.clone()));
        if role.is_none() && (self.role_session_name.is_some() || self.external_id.is_some()) {
            return Err(Error::fatal("`role_arn` is missing, to which the session's name and the external id belong"));
        }
        Ok(Identity { profile: self.local_profile.clone(), key, role })
    }

    fn encryption(&self) -> Result<Option<(ServerSideEncryption, Option<String>)>> {
        let Some(Encryption { server_side_encryption: how, sse_kms_key_id: key }) =
            &self.server_side_encryption_configuration
        else {
            return Ok(None);
        };
        match how.as_str() {
            "AES256" => Ok(Some((ServerSideEncryption::Aes256, None))),
            "aws:kms" | "aws:kms:dsse" => Ok(Some((how.as_str().into(), key.clone()))),
            _ => Err(Error::fatal(format!(
                "`server_side_encryption: {how}` is unknown; there are AES256, aws:kms and aws:kms:dsse"
            ))),
        }
    }

    fn acl(&self) -> Result<Option<ObjectCannedAcl>> {
        match self.acl.as_deref() {
            None | Some("") => Ok(None),
            Some(acl) => ObjectCannedAcl::try_parse(acl).map(Some).map_err(|_| {
                Error::fatal(format!("`acl: {acl}` is unknown; there are {}", ObjectCannedAcl::values().join(", ")))
            }),
        }
    }
}
