//! What killed processes left: multipart uploads that were neither completed nor aborted. Nobody sees them, but their
//! parts are paid for.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::types::MultipartUpload;
use aws_smithy_types::DateTime;
use headwater_objects::Template;

use crate::errors::explain;
use crate::spec::Settings;

/// An upload that is so old is nobody's any more: it is of one object, which takes minutes.
const OLD: Duration = Duration::from_secs(2 * 24 * 3600);

/// Aborts the old uploads of objects that may be of this destination, by their names. Where they cannot be listed or
/// aborted, for want of a permission or because the server knows no such call, that is said and nothing else: they are in
/// nobody's way.
pub async fn abort(client: &Client, settings: &Settings, names: &Template) {
    let (mut key_marker, mut id_marker) = (None, None);
    loop {
        let call = client.list_multipart_uploads().bucket(&settings.bucket).prefix(&settings.root);
        let call = call.set_key_marker(key_marker.take()).set_upload_id_marker(id_marker.take());
        let listed = match call.send().await {
            Ok(listed) => listed,
            Err(failure) => {
                let error = explain("ListMultipartUploads", &failure, settings);
                tracing::warn!("what interrupted uploads left cannot be looked for: {error}");
                return;
            }
        };
        let now = SystemTime::now();
        for upload in listed.uploads() {
            let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else { continue };
            if !names.fits(key) || !is_old(upload, now) {
                continue;
            }
            let call = client.abort_multipart_upload().bucket(&settings.bucket).key(key).upload_id(id);
            match call.send().await {
                Ok(_) => tracing::info!("an interrupted upload of {key} was aborted"),
                Err(failure) => {
                    let error = explain("AbortMultipartUpload", &failure, settings);
                    tracing::warn!("what an interrupted upload of {key} left cannot be removed: {error}");
                }
            }
        }
        if listed.is_truncated() != Some(true) || listed.next_key_marker().is_none() {
            return;
        }
        (key_marker, id_marker) = (listed.next_key_marker, listed.next_upload_id_marker);
    }
}

fn is_old(upload: &MultipartUpload, now: SystemTime) -> bool {
    let before = now.checked_sub(OLD).map(DateTime::from);
    upload.initiated().zip(before).is_some_and(|(initiated, before)| *initiated < before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_of_another_sync_that_is_under_way_is_left_alone() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_251_542);
        let of = |age: u64| {
            let initiated = DateTime::from(now - Duration::from_secs(age));
            is_old(&MultipartUpload::builder().initiated(initiated).build(), now)
        };
        assert!(of(3 * 24 * 3600) && !of(24 * 3600) && !of(0));
        assert!(!is_old(&MultipartUpload::builder().build(), now), "its age is not known");
    }
}
