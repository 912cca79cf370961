//! Which path gives what.

use bytes::Bytes;
use hyper::body::Body;
use hyper::header::{ACCEPT, HeaderMap};
use hyper::{Method, Request, Response, StatusCode};

use http_body_util::Full;

use super::answer::{self, Answer, HTML, JSON};
use super::collection::{Collection, Content, Key, Unavailable};
use super::exposition::{self, Exposition};
use super::places::Places;
use super::processes::Processes;
use super::segments::Segments;
use super::telemetry::Server;
use super::{clock, events, landing, query};
use crate::cli::Serve;
use crate::exit::Failure;

/// Paths that the metrics cannot have.
const TAKEN: [&str; 7] = [
    "/",
    "/json",
    "/stats",
    "/events",
    "/health",
    "/-/healthy",
    "/-/ready",
];

/// Answers requests.
#[derive(Debug)]
pub(crate) struct Routes {
    telemetry_path: String,
    collection: Collection,
    started_ns: u64,
    answers_refused: u64,
    is_stopping: bool,
}

/// What the connections are at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Load {
    pub(crate) connections: u64,
    pub(crate) connections_displaced: u64,
}

/// A way to content: its path, and what is asked of it.
struct Wish<'a> {
    headers: &'a HeaderMap,
    query: &'a [(String, String)],
}

impl Wish<'_> {
    /// The segment that is asked for.
    fn segment(&self) -> Option<&str> {
        query::values(self.query, "segment").first().copied()
    }
}

impl Routes {
    /// As the command line says.
    pub(crate) fn new(flags: &Serve) -> Result<Routes, Failure> {
        if TAKEN.contains(&&*flags.telemetry_path) {
            return Err(Failure::Input(format!(
                "--web.telemetry-path {} is the path of something else; choose another, like /metrics",
                flags.telemetry_path
            )));
        }
        let places = Places::parse(&flags.path)?;
        let is_one = places.is_one_file();
        let options = exposition::options(&flags.bounds, flags.native_only, is_one)?;
        let (segments, processes) = (Segments::new(places, false), Processes::new(flags.per_process));
        Ok(Routes {
            telemetry_path: flags.telemetry_path.clone(),
            collection: Collection::new(segments, processes, Exposition::new(options), is_one),
            started_ns: clock::now_ns(),
            answers_refused: 0,
            is_stopping: false,
        })
    }

    /// From now on the answer to "are you ready" is no.
    pub(crate) fn stop(&mut self) {
        self.is_stopping = true;
    }

    /// Answers one request. Its body is not looked at: there must be none.
    pub(crate) fn answer<B: Body>(&mut self, request: &Request<B>, load: Load) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        let is_known = path == self.telemetry_path || TAKEN.contains(&path);
        let answer = if !is_known {
            let line = format!("there is nothing at this path; see / or {}", self.telemetry_path);
            Answer::line(StatusCode::NOT_FOUND, &line)
        } else if ![Method::GET, Method::HEAD].contains(request.method()) {
            Answer::line(StatusCode::METHOD_NOT_ALLOWED, "use GET or HEAD")
        } else if !request.body().is_end_stream() {
            Answer::line(StatusCode::PAYLOAD_TOO_LARGE, "requests must have no body")
        } else {
            let query = query::parse(request.uri().query().unwrap_or_default());
            let wish = Wish {
                headers: request.headers(),
                query: &query,
            };
            self.route(path, &wish, load)
        };
        answer.into_response()
    }

    fn route(&mut self, path: &str, wish: &Wish<'_>, load: Load) -> Answer {
        match path {
            // Alive is whoever answers; nothing is read for it.
            "/-/healthy" => return Answer::line(StatusCode::OK, "shmetrics is healthy"),
            "/-/ready" if self.is_stopping => {
                return Answer::line(StatusCode::SERVICE_UNAVAILABLE, "shmetrics is about to stop");
            }
            "/-/ready" => return Answer::line(StatusCode::OK, "shmetrics is ready"),
            _ => {}
        }
        self.collection.refresh(Server {
            started_ns: self.started_ns,
            connections: load.connections,
            connections_displaced: load.connections_displaced,
            answers_refused: self.answers_refused,
            ..Server::default()
        });
        match path {
            "/" => Answer::new(
                StatusCode::OK,
                HTML,
                landing::page(&self.telemetry_path, &self.collection.segments),
            ),
            "/health" => {
                let health = &self.collection.health;
                let status = if health.is_ok() {
                    StatusCode::OK
                } else {
                    StatusCode::SERVICE_UNAVAILABLE
                };
                json(status, health)
            }
            "/json" => {
                let segment = wish.segment();
                let key = segment.is_none().then_some(Content::Json);
                self.content(key, wish, JSON, |collection| collection.json(segment))
            }
            "/stats" => {
                let segment = wish.segment();
                let key = segment.is_none().then_some(Content::Stats);
                self.content(key, wish, JSON, |collection| collection.stats(segment))
            }
            "/events" => self.events(wish),
            _ => self.metrics(wish),
        }
    }

    /// Each client has its own cursor, so nothing of this is shared.
    fn events(&mut self, wish: &Wish<'_>) -> Answer {
        match events::Wanted::parse(wish.headers, wish.query) {
            Ok(wanted) => {
                let (segment, content_type) = (wish.segment(), wanted.content_type());
                self.content(None, wish, content_type, |collection| {
                    collection.events(segment, wanted)
                })
            }
            Err(problem) => Answer::line(StatusCode::BAD_REQUEST, &problem),
        }
    }

    fn metrics(&mut self, wish: &Wish<'_>) -> Answer {
        let accept = wish.headers.get_all(ACCEPT).iter();
        let accept: Vec<&str> = accept.filter_map(|value| value.to_str().ok()).collect();
        let choice = exposition::negotiate(&accept.join(", "));
        let names = query::values(wish.query, "name[]");
        let key = names.is_empty().then_some(Content::Metrics(choice));
        self.content(key, wish, &choice.content_type(), |collection| {
            Ok(collection.metrics(choice, &names))
        })
    }

    /// Large content: compressed if the client takes that, and with a `key` made once for all who ask for it now.
    fn content(
        &mut self,
        key: Option<Content>,
        wish: &Wish<'_>,
        content_type: &str,
        make: impl FnOnce(&mut Collection) -> Result<Vec<u8>, Unavailable>,
    ) -> Answer {
        let takes_gzip = answer::takes_gzip(wish.headers);
        let key = |is_compressed| {
            key.map(|content| Key {
                content,
                is_compressed,
            })
        };
        let kept =
            |collection: &Collection, is_compressed| key(is_compressed).and_then(|key| collection.kept(key));
        let answer = |body: Bytes, is_compressed| Answer {
            is_compressed,
            ..Answer::new(StatusCode::OK, content_type, body)
        };
        let collection = &mut self.collection;
        if let Some(body) = takes_gzip.then(|| kept(collection, true)).flatten() {
            return answer(body, true);
        }
        let plain = match kept(collection, false) {
            Some(body) => body,
            None => {
                if !collection.memory.has_room() {
                    self.answers_refused += 1;
                    let line = "clients that do not read hold too much of earlier answers; try again";
                    return Answer::line(StatusCode::SERVICE_UNAVAILABLE, line);
                }
                match make(collection) {
                    Ok(content) => {
                        let body = collection.memory.hold(content);
                        if let Some(key) = key(false) {
                            collection.keep(key, &body);
                        }
                        body
                    }
                    Err(unavailable) if unavailable.problem == "unknown" => {
                        return json(StatusCode::NOT_FOUND, &unavailable);
                    }
                    Err(unavailable) => return json(StatusCode::SERVICE_UNAVAILABLE, &unavailable),
                }
            }
        };
        match takes_gzip.then(|| answer::compressed(&plain)).flatten() {
            Some(compressed) => {
                let body = collection.memory.hold(compressed);
                if let Some(key) = key(true) {
                    collection.keep(key, &body);
                }
                answer(body, true)
            }
            None => answer(plain, false),
        }
    }
}

fn json(status: StatusCode, value: &impl serde::Serialize) -> Answer {
    match crate::format::json::line(value) {
        Ok(text) => Answer::new(status, JSON, text),
        Err(_) => Answer::line(
            StatusCode::INTERNAL_SERVER_ERROR,
            "this cannot be written as JSON; please report it",
        ),
    }
}
