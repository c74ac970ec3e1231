//! What does not work, as RFC 9457 has it: `application/problem+json`.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::config::editing::wish::Refused;
use crate::server::control::edits::{Finding, Rejected};
use crate::server::control::protocol::{Fault, FaultCode};

/// Why something does not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// A URN that names the kind of problem: `urn:voxtrunk:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The status in words.
    pub title: &'static str,
    /// The status.
    pub status: u16,
    /// For people: what happened, and what to do.
    pub detail: Box<str>,
    /// What was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<Box<str>>,
    /// For programs. It stays as it is.
    pub code: Code,
    /// Names the request in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Box<str>>,
    /// What exactly is wrong with what was sent.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub errors: Box<[Flaw]>,
    /// After how many seconds it may be tried again.
    #[serde(skip)]
    retry_after: Option<u32>,
}

/// Something that is wrong with what was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Flaw {
    /// Where in the body, as RFC 6901 has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Which parameter of the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// What is wrong there.
    pub message: String,
    /// For programs, of mistakes in the files: as `voxtrunk check` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Its line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Its column, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// What kind of problem it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// There is no key, or it is not valid.
    Unauthorized,
    /// The key may not do this.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// It is there, and cannot be asked so.
    MethodNotAllowed,
    /// It cannot be done as things stand.
    Conflict,
    /// The recording is sealed.
    Sealed,
    /// What was sent is too long.
    TooLarge,
    /// What was sent cannot be read.
    Malformed,
    /// What was sent has no meaning here.
    Validation,
    /// The cursor was not made by this server.
    InvalidCursor,
    /// The files have mistakes.
    InvalidConfig,
    /// It is not as whoever asks thinks.
    PreconditionFailed,
    /// It must be said how it is thought to stand.
    PreconditionRequired,
    /// No such part of the recording.
    RangeNotSatisfiable,
    /// Too many tries, or too many streams.
    TooMany,
    /// What was sent did not arrive in time.
    Timeout,
    /// The server is busy, or going down.
    Unavailable,
    /// The server could not read what it wrote itself.
    Internal,
}

impl Problem {
    /// A problem in words.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let (status, kind) = code.told();
        Self {
            kind,
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: detail.into().into(),
            instance: None,
            code,
            request_id: None,
            errors: Box::default(),
            retry_after: None,
        }
    }

    /// Something in the query that has no meaning.
    pub fn parameter(name: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let mut problem = Self::new(Code::Validation, format!("`{name}`: {message}"));
        let parameter = Some(name.to_owned());
        problem.errors = [Flaw { parameter, message, ..Flaw::default() }].into();
        problem
    }

    /// Something in the body that has no meaning.
    pub fn pointer(pointer: String, message: impl Into<String>) -> Self {
        let message = message.into();
        let mut problem = Self::new(Code::Validation, message.clone());
        let pointer = Some(pointer);
        problem.errors = [Flaw { pointer, message, ..Flaw::default() }].into();
        problem
    }

    /// May be tried again after so many seconds.
    pub fn after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// With what was asked for, and the name of the request.
    pub fn of(self, path: &str, request: &str) -> Self {
        Self { instance: Some(path.into()), request_id: Some(request.into()), ..self }
    }
}

impl Code {
    fn told(self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "urn:voxtrunk:problem:unauthorized"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "urn:voxtrunk:problem:forbidden"),
            Self::NotFound => (StatusCode::NOT_FOUND, "urn:voxtrunk:problem:not_found"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "urn:voxtrunk:problem:method_not_allowed")
            }
            Self::Conflict => (StatusCode::CONFLICT, "urn:voxtrunk:problem:conflict"),
            Self::Sealed => (StatusCode::CONFLICT, "urn:voxtrunk:problem:sealed"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "urn:voxtrunk:problem:too_large"),
            Self::Malformed => (StatusCode::BAD_REQUEST, "urn:voxtrunk:problem:malformed"),
            Self::Validation => {
                (StatusCode::UNPROCESSABLE_ENTITY, "urn:voxtrunk:problem:validation")
            }
            Self::InvalidCursor => (StatusCode::BAD_REQUEST, "urn:voxtrunk:problem:invalid_cursor"),
            Self::InvalidConfig => {
                (StatusCode::UNPROCESSABLE_ENTITY, "urn:voxtrunk:problem:invalid_config")
            }
            Self::PreconditionFailed => {
                (StatusCode::PRECONDITION_FAILED, "urn:voxtrunk:problem:precondition_failed")
            }
            Self::PreconditionRequired => {
                (StatusCode::PRECONDITION_REQUIRED, "urn:voxtrunk:problem:precondition_required")
            }
            Self::RangeNotSatisfiable => {
                (StatusCode::RANGE_NOT_SATISFIABLE, "urn:voxtrunk:problem:range_not_satisfiable")
            }
            Self::TooMany => (StatusCode::TOO_MANY_REQUESTS, "urn:voxtrunk:problem:too_many"),
            Self::Timeout => (StatusCode::REQUEST_TIMEOUT, "urn:voxtrunk:problem:timeout"),
            Self::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "urn:voxtrunk:problem:unavailable")
            }
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "urn:voxtrunk:problem:internal"),
        }
    }
}

impl From<Rejected> for Problem {
    fn from(rejected: Rejected) -> Self {
        let refused = match rejected {
            Rejected::Refused(refused) => refused,
            Rejected::Unfit(why) => return Self::new(Code::InvalidConfig, why),
            Rejected::Invalid(findings) => {
                let first = findings.first().map(|it| it.message.clone()).unwrap_or_default();
                let mut problem = Self::new(Code::InvalidConfig, first);
                problem.errors = findings.into_iter().map(Flaw::from).collect();
                return problem;
            }
        };
        let detail = refused.to_string();
        let code = match refused {
            Refused::Value(pointer, _) => return Self::pointer(pointer, detail),
            Refused::Unknown(_) => Code::NotFound,
            Refused::Ambiguous(_) | Refused::Files(_) => Code::Conflict,
            Refused::Unconditional(_) => Code::PreconditionRequired,
            Refused::Otherwise(_) => Code::PreconditionFailed,
            Refused::Outside(_) => Code::Forbidden,
            Refused::Disk(_) => Code::Unavailable,
        };
        Self::new(code, detail)
    }
}

impl From<Finding> for Flaw {
    fn from(it: Finding) -> Self {
        let Finding { code, message, file, line, column, help } = it;
        Self { pointer: None, parameter: None, message, code: Some(code), file, line, column, help }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let code = match fault.code {
            FaultCode::Malformed | FaultCode::Version => Code::Malformed,
            FaultCode::TooLong => Code::TooLarge,
            FaultCode::Forbidden => Code::Forbidden,
            FaultCode::Busy => Code::Unavailable,
            FaultCode::NotFound => Code::NotFound,
            FaultCode::Ambiguous | FaultCode::Impossible => Code::Conflict,
            FaultCode::Invalid => Code::InvalidConfig,
        };
        Self::new(code, fault.message)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or_default();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        if self.code == Code::Unauthorized {
            let bearer = HeaderValue::from_static("Bearer realm=\"voxtrunk\"");
            headers.insert(header::WWW_AUTHENTICATE, bearer);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        // The door adds what was asked for, and writes it anew.
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_the_names_of_the_standard() {
        let problem = Problem::parameter("limit", "at most 200").of("/v1/calls", "req_1");
        let expected = serde_json::json!({
            "type": "urn:voxtrunk:problem:validation",
            "title": "Unprocessable Entity",
            "status": 422,
            "detail": "`limit`: at most 200",
            "instance": "/v1/calls",
            "code": "validation",
            "request_id": "req_1",
            "errors": [{ "parameter": "limit", "message": "at most 200" }],
        });
        assert_eq!(serde_json::to_value(&problem).expect("JSON"), expected);
        let response = problem.after(3).into_response();
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[header::RETRY_AFTER], "3");
    }
}
