//! Every error's gRPC code, text and details, as Temporal's server sends them.
//!
//! Details travel as a `google.rpc.Status` in `grpc-status-details-bin`, which holds one message of
//! `temporal.api.errordetails.v1`; SDKs tell errors of one code apart by it. Codes without such a message
//! have no details.

use longhaul_runtime::Error;
use prost::{Message, Name};
use prost_wkt_types::Any;
use temporalio_protos::{
    google::rpc,
    temporal::api::{
        enums::v1::{ResourceExhaustedCause, ResourceExhaustedScope},
        errordetails::v1::{
            MultiOperationExecutionFailure, NamespaceNotFoundFailure, NotFoundFailure,
            PermissionDeniedFailure, QueryFailedFailure, ResourceExhaustedFailure,
            WorkflowExecutionAlreadyStartedFailure, multi_operation_execution_failure::OperationStatus,
        },
        failure::v1::MultiOperationExecutionAborted,
    },
};
use tonic::{Code, Status};

use crate::method::Method;

/// Longest text in bytes. Text and details travel in HTTP/2 headers, of which clients based on hyper
/// (Temporal's Core among them) take 16 KiB in all; a byte of text takes up to three there.
const MESSAGE_MAX_BYTES: usize = 2_048;

/// Longest details in bytes, for the same reason; base64 makes 8.5 kB of it. Longer ones are left out, code
/// and text stay.
const DETAILS_MAX_BYTES: usize = 6_400;

/// What tonic's generated default methods answer with.
const TONIC_DEFAULT_STUB: &str = "Not yet implemented";

/// Code and beginning of tonic's texts about a message that is over the limit: as it arrives, and once it is
/// decompressed.
const TONIC_TOO_LARGE: [(Code, &str); 2] = [
    (Code::OutOfRange, "Error, decoded message length too large: "),
    (Code::ResourceExhausted, "Error decompressing: "),
];

/// What the wire says for a request that the runtime refused.
pub(crate) fn from_runtime(error: Error) -> Status {
    let text = error.to_string();
    match error {
        Error::NamespaceNotFound(namespace) => namespace_not_found(namespace),
        Error::WorkflowNotFound(_)
        | Error::RunNotFound { .. }
        | Error::AlreadyCompleted
        | Error::UpdateNotFound(_)
        | Error::NotFound(_) => not_found(text),
        Error::AlreadyStarted {
            start_request_id,
            run_id,
            ..
        } => detailed(
            Code::AlreadyExists,
            text,
            &WorkflowExecutionAlreadyStartedFailure {
                start_request_id,
                run_id,
                ..Default::default()
            },
        ),
        Error::InvalidArgument(_) => invalid_argument(text),
        Error::QueryFailed { failure, .. } => detailed(
            Code::InvalidArgument,
            text,
            &QueryFailedFailure {
                failure: Some(*failure),
            },
        ),
        Error::MultiOperation { statuses } => multi_operation(statuses),
        Error::FailedPrecondition(_) => plain(Code::FailedPrecondition, text),
        Error::PermissionDenied(_) => detailed(
            Code::PermissionDenied,
            text,
            &PermissionDeniedFailure {
                reason: String::new(),
            },
        ),
        Error::ResourceExhausted(_) => resource_exhausted(text, ResourceExhaustedScope::Namespace),
        Error::Unavailable(_) => plain(Code::Unavailable, text),
        Error::Unimplemented(_) => plain(Code::Unimplemented, text),
        Error::Internal(_) => plain(Code::Internal, text),
        // The runtime's errors may grow; one that is not known here is a defect of this table.
        _ => plain(Code::Internal, text),
    }
}

/// What became of each of several operations, of which one at least was refused. Temporal's clients take the first that was not
/// merely aborted for the cause.
fn multi_operation(statuses: Vec<Option<Box<Error>>>) -> Status {
    const TEXT: &str = "Update-with-Start could not be executed.";
    let statuses: Vec<Option<Status>> = statuses
        .into_iter()
        .map(|refused| refused.map(|error| from_runtime(*error)))
        .collect();
    let code = statuses
        .iter()
        .flatten()
        .next()
        .map_or(Code::Internal, Status::code);
    let statuses = statuses
        .into_iter()
        .map(|status| match status {
            Some(status) => OperationStatus {
                code: status.code().into(),
                message: status.message().to_owned(),
                details: rpc::Status::decode(status.details())
                    .map(|whole| whole.details)
                    .unwrap_or_default(),
            },
            None => OperationStatus {
                code: Code::Aborted.into(),
                message: "Operation was aborted.".to_owned(),
                details: vec![any(&MultiOperationExecutionAborted {})],
            },
        })
        .collect();
    detailed(
        code,
        TEXT.to_owned(),
        &MultiOperationExecutionFailure { statuses },
    )
}

/// The request is malformed.
pub(crate) fn invalid_argument(text: impl Into<String>) -> Status {
    plain(Code::InvalidArgument, text.into())
}

/// There is no such namespace. Workers stop on this error, so it needs its details.
pub(crate) fn namespace_not_found(namespace: String) -> Status {
    detailed(
        Code::NotFound,
        format!("Namespace {namespace} is not found. This server has the namespace \"default\"."),
        &NamespaceNotFoundFailure { namespace },
    )
}

/// There is no such thing.
pub(crate) fn not_found(text: String) -> Status {
    detailed(Code::NotFound, text, &NotFoundFailure::default())
}

/// A limit on what is in flight is reached.
pub(crate) fn resource_exhausted(text: String, scope: ResourceExhaustedScope) -> Status {
    let failure = ResourceExhaustedFailure {
        cause: ResourceExhaustedCause::ConcurrentLimit.into(),
        scope: scope.into(),
    };
    detailed(Code::ResourceExhausted, text, &failure)
}

/// A component is larger than the server takes. Unlike other exhausted resources this one does not come back,
/// so it has no details that could make a client try again.
pub(crate) fn too_large(text: String) -> Status {
    plain(Code::ResourceExhausted, text)
}

/// The other side was silent for too long.
pub(crate) fn deadline_exceeded(text: String) -> Status {
    plain(Code::DeadlineExceeded, text)
}

/// The server stops while the request waits.
pub(crate) fn stopping() -> Status {
    plain(Code::Unavailable, "the server is shutting down; try again".into())
}

/// A handler panicked.
pub(crate) fn panicked(method: &Method) -> Status {
    plain(
        Code::Internal,
        format!(
            "internal error: the handler of {} panicked; this is a defect of the server, whose log has more",
            method.name
        ),
    )
}

/// Mends the errors that tonic makes by itself, before a handler of ours is asked. They do not say what was
/// refused, and the codes for a message that is too large would make Temporal's SDKs send it again and again.
pub(crate) fn mend(status: Status, method: Option<&Method>, path: &str) -> Status {
    if status.code() == Code::Unimplemented && matches!(status.message(), "" | TONIC_DEFAULT_STUB) {
        return not_offered(method, path);
    }
    let too_large = TONIC_TOO_LARGE
        .iter()
        .filter(|(code, _)| *code == status.code())
        .find_map(|(_, start)| status.message().strip_prefix(start));
    match too_large {
        Some(sizes) => invalid_argument(format!(
            "The request is too large: {sizes}; nothing of it was done."
        )),
        None => status,
    }
}

fn not_offered(method: Option<&Method>, path: &str) -> Status {
    let text = match method {
        Some(Method { service, name, .. }) => {
            format!("{name} is not offered by this server, a Longhaul server that serves a part of {service}")
        }
        None => format!("unknown service or method {path:?}; this server serves Temporal's WorkflowService"),
    };
    plain(Code::Unimplemented, text)
}

fn plain(code: Code, text: String) -> Status {
    Status::new(code, shortened(text))
}

fn any<M: Message + Name>(detail: &M) -> Any {
    Any {
        type_url: format!("type.googleapis.com/{}", M::full_name()),
        value: detail.encode_to_vec(),
    }
}

fn detailed<M: Message + Name>(code: Code, text: String, detail: &M) -> Status {
    let text = shortened(text);
    let any = any(detail);
    let details = rpc::Status {
        code: code.into(),
        message: text.clone(),
        details: vec![any],
    }
    .encode_to_vec();
    if details.len() > DETAILS_MAX_BYTES {
        return Status::new(code, text);
    }
    Status::with_details(code, text, details.into())
}

/// `text`, cut at [`MESSAGE_MAX_BYTES`], and saying so.
fn shortened(mut text: String) -> String {
    const MARK: &str = "... (shortened)";
    if text.len() > MESSAGE_MAX_BYTES {
        text.truncate(text.floor_char_boundary(MESSAGE_MAX_BYTES - MARK.len()));
        text.push_str(MARK);
    }
    text
}

/// A code as in the documents of gRPC: `INVALID_ARGUMENT`.
pub(crate) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use temporalio_protos::temporal::api::failure::v1::Failure;

    use super::*;

    /// The one detail of `status`, decoded; its envelope must repeat code and text.
    fn detail<M: Message + Name + Default>(status: &Status) -> M {
        let envelope = rpc::Status::decode(status.details()).unwrap();
        assert_eq!(envelope.code, i32::from(status.code()));
        assert_eq!(envelope.message, status.message());
        let [any] = envelope.details.as_slice() else {
            panic!("{} details", envelope.details.len())
        };
        assert_eq!(any.type_url, format!("type.googleapis.com/{}", M::full_name()));
        M::decode(any.value.as_slice()).unwrap()
    }

    // B1
    #[test]
    fn namespace_not_found_names_it() {
        let status = from_runtime(Error::NamespaceNotFound("prod".into()));
        assert_eq!(status.code(), Code::NotFound);
        assert!(
            status.message().starts_with("Namespace prod is not found."),
            "{}",
            status.message()
        );
        assert_eq!(detail::<NamespaceNotFoundFailure>(&status).namespace, "prod");
    }

    // S6, U3
    #[test]
    fn what_does_not_exist_is_not_found() {
        for (error, text) in [
            (
                Error::WorkflowNotFound("order-1".into()),
                "workflow not found for ID: order-1",
            ),
            (Error::AlreadyCompleted, "workflow execution already completed"),
            (Error::UpdateNotFound("u1".into()), "update \"u1\" not found"),
            (
                Error::NotFound("no module is named \"ordre\"".into()),
                "no module is named \"ordre\"",
            ),
        ] {
            let status = from_runtime(error);
            assert_eq!((status.code(), status.message()), (Code::NotFound, text));
            assert_eq!(detail::<NotFoundFailure>(&status), NotFoundFailure::default());
        }
    }

    // E1
    #[test]
    fn already_started_tells_run_and_request() {
        let status = from_runtime(Error::AlreadyStarted {
            message: "Workflow execution is already running. WorkflowId: w, RunId: r.".into(),
            start_request_id: "q".into(),
            run_id: "r".into(),
        });
        assert_eq!(status.code(), Code::AlreadyExists);
        assert_eq!(
            status.message(),
            "Workflow execution is already running. WorkflowId: w, RunId: r."
        );
        let failure = detail::<WorkflowExecutionAlreadyStartedFailure>(&status);
        assert_eq!(
            (failure.start_request_id.as_str(), failure.run_id.as_str()),
            ("q", "r")
        );
    }

    // Q4
    #[test]
    fn a_failed_query_is_invalid_argument_and_carries_the_failure() {
        let failure = Failure {
            message: "no such item".into(),
            ..Default::default()
        };
        let status = from_runtime(Error::QueryFailed {
            message: "no such item".into(),
            failure: Box::new(failure.clone()),
        });
        assert_eq!(
            (status.code(), status.message()),
            (Code::InvalidArgument, "no such item")
        );
        assert_eq!(detail::<QueryFailedFailure>(&status).failure, Some(failure));
    }

    // U3, U10
    #[test]
    fn permission_and_resources_have_details() {
        let status = from_runtime(Error::PermissionDenied("no".into()));
        assert_eq!(status.code(), Code::PermissionDenied);
        detail::<PermissionDeniedFailure>(&status);

        let status = from_runtime(Error::ResourceExhausted("10 updates are in flight".into()));
        assert_eq!(
            (status.code(), status.message()),
            (Code::ResourceExhausted, "10 updates are in flight")
        );
        assert_eq!(
            detail::<ResourceExhaustedFailure>(&status).cause(),
            ResourceExhaustedCause::ConcurrentLimit
        );
    }

    #[test]
    fn the_others_have_code_and_text_alone() {
        for (error, code, text) in [
            (Error::InvalidArgument("a".into()), Code::InvalidArgument, "a"),
            (
                Error::FailedPrecondition("b".into()),
                Code::FailedPrecondition,
                "b",
            ),
            (Error::Unavailable("c".into()), Code::Unavailable, "c"),
            (Error::Unimplemented("d".into()), Code::Unimplemented, "d"),
            (Error::Internal("e".into()), Code::Internal, "internal error: e"),
        ] {
            let status = from_runtime(error);
            assert_eq!((status.code(), status.message()), (code, text));
            assert!(status.details().is_empty());
        }
    }

    #[test]
    fn headers_stay_below_what_clients_take() {
        let long = "ü".repeat(10_000);
        let failure = Failure {
            message: long.clone(),
            ..Default::default()
        };
        let status = from_runtime(Error::QueryFailed {
            message: long,
            failure: Box::new(failure),
        });
        assert!(status.message().len() <= MESSAGE_MAX_BYTES && status.message().ends_with("(shortened)"));
        assert!(status.details().is_empty());
        let response = status.into_http::<()>();
        let size: usize = response
            .headers()
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 32)
            .sum();
        assert!(size < 16 << 10, "{size}");
    }

    #[test]
    fn own_texts_are_not_mended() {
        let own = Status::unimplemented("eager start is not offered yet");
        assert_eq!(mend(own, None, "/x").message(), "eager start is not offered yet");
        let own = Status::out_of_range("something else");
        assert_eq!(mend(own, None, "/x").code(), Code::OutOfRange);
    }
}
