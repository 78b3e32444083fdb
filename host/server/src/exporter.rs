//! The process's metrics in Prometheus' text form.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::warn;

use crate::request;

/// Upper bounds of the histograms' buckets in seconds: fine from 100 us, where a group commit is, to the 20 s
/// of a long poll.
const BUCKETS: [f64; 17] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    30.0,
];

static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Installs the process's recorder of metrics; the first call counts, and
/// [`Server::bind`](crate::Server::bind) makes it if nobody has. What is recorded before is lost, so a
/// process that starts a runtime first should call this before that.
///
/// A recorder that the process has installed by other means stays; `/metrics` then says so.
pub fn install() {
    handle();
}

/// Reads what was recorded; `None` if the process has a recorder of its own.
pub(crate) fn handle() -> Option<&'static PrometheusHandle> {
    HANDLE
        .get_or_init(|| {
            let installed = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &BUCKETS)
                .and_then(PrometheusBuilder::install_recorder);
            match installed {
                Ok(handle) => {
                    request::describe_metrics();
                    Some(handle)
                }
                Err(error) => {
                    warn!(%error, "metrics are not served: the process has its own recorder");
                    None
                }
            }
        })
        .as_ref()
}
