//! One HTTP exchange, bounded in time, pace and size.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{ACCEPT, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use http_body::Body;
use http_body_util::Empty;
use tokio::time::timeout;
use tower_service::Service;

use crate::common::bounded_body::{Unread, read_bounded};
use crate::common::host_code::guarded_future;
use crate::fetch::fetch_error::{FetchError, FetchProblem};
use crate::fetch::pace::Paced;

/// Any tower HTTP client: hyper-util's, or one wrapped in layers of the host's. All of them implement it.
pub trait HttpClient:
    Service<
        Request<Empty<Bytes>>,
        Response = Response<<Self as HttpClient>::Body>,
        Error: Into<Box<dyn Error + Send + Sync>>,
    >
{
    /// The body of its responses.
    type Body: Body<Error: Into<Box<dyn Error + Send + Sync>>>;
}

impl<C, B> HttpClient for C
where
    C: Service<Request<Empty<Bytes>>, Response = Response<B>, Error: Into<Box<dyn Error + Send + Sync>>>,
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
{
    type Body = B;
}

/// The limits of an exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// For the answer's head, from readiness on; and for each piece of its body, as [`Paced`] has it.
    pub(crate) timeout: Duration,
    /// For the whole of it, from readiness to the last byte.
    pub(crate) total: Duration,
    /// For the body, in bytes as the client delivers them.
    pub(crate) size: usize,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// 200.
    Document {
        body: Vec<u8>,
        validator: Option<Validator>,
    },
    /// 304.
    NotModified,
    /// Anything else.
    Other {
        status: StatusCode,
        body: Vec<u8>,
        retry_after: Option<Duration>,
    },
}

/// What makes the next request conditional ([RFC 9110 §13.1](https://www.rfc-editor.org/rfc/rfc9110#section-13.1)).
#[derive(Clone, Debug)]
pub(crate) struct Validator {
    name: HeaderName,
    value: HeaderValue,
}

impl Validator {
    /// Returns the entity tag, which says more than a date; else the date.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let header = |given, name| {
            let value = headers.get(given)?.clone();
            Some(Self { name, value })
        };
        header(ETAG, IF_NONE_MATCH).or_else(|| header(LAST_MODIFIED, IF_MODIFIED_SINCE))
    }
}

/// What key sets and what leads to them are asked for as.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Fetches `uri`, as a document of the media types that `accept` names.
///
/// # Cancel safety
///
/// Dropping the future drops the exchange.
pub(crate) async fn get<C: HttpClient>(
    client: &mut C,
    uri: &Uri,
    accept: HeaderValue,
    validator: Option<&Validator>,
    limits: Limits,
) -> Result<Answer, FetchError> {
    let fail = |problem| FetchError {
        place: Plain(uri).to_string(),
        problem,
    };
    let exchange = guarded_future(exchange(client, uri, accept, validator, limits));
    let exchanged = match timeout(limits.total, exchange).await {
        Ok(Ok(exchanged)) => exchanged,
        Ok(Err(panic)) => Err(FetchProblem::Client(
            format!("the HTTP client panicked: {panic}").into(),
        )),
        Err(_late) => Err(FetchProblem::Timeout(limits.total)),
    };
    exchanged.map_err(fail)
}

async fn exchange<C: HttpClient>(
    client: &mut C,
    uri: &Uri,
    accept: HeaderValue,
    validator: Option<&Validator>,
    limits: Limits,
) -> Result<Answer, FetchProblem> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = uri.clone();
    request.headers_mut().insert(ACCEPT, accept);
    if let Some(validator) = validator {
        request
            .headers_mut()
            .insert(validator.name.clone(), validator.value.clone());
    }
    let asked = async {
        poll_fn(|context| client.poll_ready(context)).await?;
        client.call(request).await
    };
    let response = match timeout(limits.timeout, asked).await {
        Ok(response) => response.map_err(|cause| FetchProblem::Client(cause.into()))?,
        Err(_late) => return Err(FetchProblem::Timeout(limits.timeout)),
    };
    let (head, body) = response.into_parts();
    let body = Paced::new(body, limits.timeout);
    Ok(match head.status {
        StatusCode::OK => Answer::Document {
            body: read(body, limits.size).await?,
            validator: Validator::of(&head.headers),
        },
        StatusCode::NOT_MODIFIED => Answer::NotModified,
        status => Answer::Other {
            status,
            body: read(body, limits.size.min(LARGEST_EXCUSE)).await?,
            retry_after: retry_after(&head.headers, SystemTime::now()),
        },
    })
}

/// Reads a body that may be endless, and never more of it than `cap`.
async fn read<B>(body: B, cap: usize) -> Result<Vec<u8>, FetchProblem>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    // A list is large, so all of the size that the registry states is allocated at once.
    read_bounded(body, cap, cap).await.map_err(|unread| match unread {
        Unread::Broken(cause) => match cause.downcast() {
            Ok(slow) => FetchProblem::TooSlow(*slow),
            Err(cause) => FetchProblem::Body(cause),
        },
        Unread::TooLarge => FetchProblem::TooLarge(cap),
    })
}

/// `Retry-After`, in seconds or as a date ([RFC 9110 §10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse() {
        Ok(secs) => Some(Duration::from_secs(secs)),
        Err(_) => {
            let date = httpdate::parse_http_date(value).ok()?;
            Some(date.duration_since(now).unwrap_or_default())
        }
    }
}

/// A URI without user, password and query, which may be secret.
pub(crate) struct Plain<'u>(pub(crate) &'u Uri);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host) = (self.0.scheme_str(), self.0.host());
        write!(f, "{}://{}", scheme.unwrap_or_default(), host.unwrap_or_default())?;
        if let Some(port) = self.0.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(self.0.path())
    }
}

/// As much of an error's body as is read, in bytes.
const LARGEST_EXCUSE: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn reads_both_forms_of_retry_after() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        let read = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
            retry_after(&headers, now)
        };
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:47 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:27 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
        assert_eq!(read("-1"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn shows_no_secrets_of_a_uri() {
        let error = FetchError {
            place: Plain(&Uri::from_static(
                "https://user:password@registry.example:8443/v1/crl?key=secret",
            ))
            .to_string(),
            problem: FetchProblem::TooLarge(1),
        };
        assert!(
            error
                .to_string()
                .starts_with("https://registry.example:8443/v1/crl: body"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn reads_no_more_than_the_cap() {
        let body = |length: usize| http_body_util::Full::new(Bytes::from(vec![b'x'; length]));
        assert_eq!(read(body(10), 10).await.unwrap().len(), 10);
        assert!(matches!(read(body(11), 10).await, Err(FetchProblem::TooLarge(10))));
        // One that doesn't announce its length.
        let chunks =
            tokio_stream::iter((0..3).map(|_| Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from("1234")))));
        let endless = http_body_util::StreamBody::new(chunks);
        assert!(matches!(read(endless, 10).await, Err(FetchProblem::TooLarge(10))));
    }

    /// It sends just enough to be waited for.
    #[tokio::test(start_paused = true)]
    async fn ends_after_the_total_time_however_well_it_comes() {
        let mut client = tower::service_fn(async |_: Request<Empty<Bytes>>| {
            let pieces = tokio_stream::iter(std::iter::repeat_with(|| {
                Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from(vec![b' '; 2048])))
            }));
            let paced = tokio_stream::StreamExt::throttle(pieces, Duration::from_secs(1));
            Ok::<_, std::io::Error>(Response::new(Box::pin(http_body_util::StreamBody::new(paced))))
        });
        let limits = Limits {
            timeout: Duration::from_secs(10),
            total: Duration::from_secs(3_600),
            size: usize::MAX,
        };
        let started = tokio::time::Instant::now();
        let uri = Uri::from_static("http://registry/list");
        let late = get(&mut client, &uri, JSON, None, limits).await.unwrap_err();
        assert_eq!(
            late.to_string(),
            "http://registry/list: no complete answer within 3600s"
        );
        assert_eq!(started.elapsed(), limits.total);
    }
}
