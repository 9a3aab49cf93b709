//! Amazon EC2: lists of the resources of a region, and the regions.

use std::sync::Arc;

use crate::answer::{Answer, Content, Rows, XML};
use crate::call::Call;
use crate::ec2_rows::{At, instance, snapshot, volume, vpc};
use crate::errors::{error, namespace, unknown};
use crate::handle::World;
use crate::kind::Kind;
use crate::text::Text;

/// Answers a call.
pub fn answer(world: &Arc<World>, call: &Call, request_id: &str) -> Answer {
    if call.region_index.is_none() {
        let message = "AWS was not able to validate the provided access credentials";
        return error(call, 401, "AuthFailure", message, request_id);
    }
    match call.api.as_str() {
        "DescribeInstances" => list(world, call, request_id, Kind::Instances, "reservationSet", instance),
        "DescribeVolumes" => list(world, call, request_id, Kind::Volumes, "volumeSet", volume),
        "DescribeVpcs" => list(world, call, request_id, Kind::Vpcs, "vpcSet", vpc),
        "DescribeSnapshots" => list(world, call, request_id, Kind::Snapshots, "snapshotSet", snapshot),
        "DescribeRegions" => regions(world, call, request_id),
        api if world.config.unknown_empty && (api.starts_with("Describe") || api.starts_with("Get")) => {
            let mut text = head(api, request_id);
            foot(&mut text, api, None);
            Answer::xml(text)
        }
        _ => unknown(call, request_id),
    }
}

fn head(api: &str, request_id: &str) -> Text {
    let mut text = Text::with_capacity(1024);
    text.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<");
    text.raw(api);
    text.raw("Response xmlns=\"");
    text.raw(namespace(crate::call::Service::Ec2));
    text.raw("\">");
    text.text("requestId", request_id);
    text
}

fn foot(text: &mut Text, api: &str, next: Option<u64>) {
    if let Some(next) = next {
        text.leaf("nextToken", format_args!("next-{next}"));
    }
    text.raw("</");
    text.raw(api);
    text.raw("Response>");
}

fn list(
    world: &Arc<World>,
    call: &Call,
    request_id: &str,
    kind: Kind,
    set: &'static str,
    row: fn(&At, u64, &mut Text),
) -> Answer {
    let account = call.caller.account;
    let region = call.region_index.filter(|region| *region < world.estate.populated);
    let count = region.map_or(0, |_| world.estate.count(account, kind));
    let asked = call.number("MaxResults");
    if asked.is_some_and(|asked| asked < 5) {
        let message = "Value for parameter maxResults is invalid. Expecting a value greater than 5.";
        return error(call, 400, "InvalidParameterValue", message, request_id);
    }
    let Some(page) = world.page(&call.api, call.param("NextToken"), asked, 1000, count) else {
        return error(call, 400, "InvalidNextToken", "The token is invalid.", request_id);
    };
    let mut above = head(&call.api, request_id);
    above.open(set);
    let mut below = Text::default();
    below.close(set);
    foot(&mut below, &call.api, page.next);
    let at = At::new(Arc::clone(&world.estate), account, region.unwrap_or(0));
    let bytes = world.config.row_bytes.max(3500);
    let content = Rows::content(above, (page.start, page.end), below, bytes, move |index, text| row(&at, index, text));
    Answer { status: 200, content_type: XML, content, headers: Vec::new() }
}

fn regions(world: &World, call: &Call, request_id: &str) -> Answer {
    let mut text = head(&call.api, request_id);
    text.open("regionInfo");
    for region in &world.estate.regions {
        text.open("item");
        text.text("regionName", region);
        text.leaf("regionEndpoint", format_args!("ec2.{region}.amazonaws.com"));
        text.text("optInStatus", "opt-in-not-required");
        text.close("item");
    }
    text.close("regionInfo");
    foot(&mut text, &call.api, None);
    Answer::new(200, XML, Content::Text(text.0))
}
