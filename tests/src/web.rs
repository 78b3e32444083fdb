//! A web server on this machine that says what a test tells it to.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A web server. It serves until the test's process ends.
#[derive(Debug)]
pub struct Web {
    address: SocketAddr,
    came: Arc<Came>,
}

/// The requests that have come, and the news of each.
#[derive(Debug, Default)]
struct Came(Mutex<Vec<Request>>, Condvar);

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET /path HTTP/1.1`.
    pub line: String,
    /// `name: value`, the names in lower case.
    pub headers: Vec<String>,
    /// As long as `content-length` says, or all of its chunks.
    pub body: Vec<u8>,
}

impl Request {
    /// The path and what follows it.
    pub fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap()
    }
}

/// Where an answer is written to. What fails is the other side's doing.
pub type Answer<'a> = &'a mut dyn Write;

impl Web {
    /// Answers every request in this way; the connection is closed after it.
    pub fn start(answer: impl Fn(&Request, Answer<'_>) + Send + Sync + 'static) -> Self {
        Self::serving(move |stream, came| serve(stream, &answer, came))
    }

    /// Answers every request with this text, over TLS. A client that does not trust the certificate comes to no request.
    pub fn with_text_over_tls(config: ServerConfig, text: &'static str) -> Self {
        let config = Arc::new(config);
        Self::serving(move |stream, came| {
            let connection = ServerConnection::new(config.clone()).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            serve(&mut stream, &|_, answer| say(answer, "200 OK", "", text), came);
            stream.conn.send_close_notify();
            let _ = stream.flush();
        })
    }

    fn serving(connected: impl Fn(TcpStream, &Came) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let came: Arc<Came> = Arc::default();
        let (connected, kept) = (Arc::new(connected), came.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (connected, kept) = (connected.clone(), kept.clone());
                thread::spawn(move || connected(stream.unwrap(), &kept));
            }
        });
        Self { address, came }
    }

    /// Answers every request with this text.
    pub fn with_text(text: &'static str) -> Self {
        Self::start(move |_, answer| say(answer, "200 OK", "", text))
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The address of a page.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests that have come so far.
    pub fn requests(&self) -> Vec<Request> {
        self.came.0.lock().unwrap().clone()
    }

    /// Waits until the requests that have come are as they should be.
    pub fn until(&self, enough: impl Fn(&[Request]) -> bool) {
        let requests = self.came.0.lock().unwrap();
        drop(
            self.came
                .1
                .wait_while(requests, |requests| !enough(requests))
                .unwrap(),
        );
    }
}

/// Write a whole answer; `headers` ends each with `\r\n`.
pub fn say(answer: Answer<'_>, status: &str, headers: &str, body: &str) {
    let length = body.len();
    let _ = write!(
        answer,
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
}

fn serve<S: Read + Write>(stream: S, answer: &dyn Fn(&Request, Answer<'_>), kept: &Came) {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(length) if length > 2 => lines.push(line.trim_end().to_owned()),
            Ok(2) => break,
            _ => return,
        }
    }
    let headers: Vec<String> = lines
        .split_off(1)
        .iter()
        .map(|header| {
            let (name, value) = header.split_once(':').unwrap();
            format!("{}:{value}", name.to_ascii_lowercase())
        })
        .collect();
    let Ok(body) = body(&mut reader, &headers) else {
        return;
    };
    let request = Request {
        line: lines.remove(0),
        headers,
        body,
    };
    kept.0.lock().unwrap().push(request.clone());
    kept.1.notify_all();
    answer(&request, reader.get_mut());
}

/// Reads a request's body. What is cut off is an error.
fn body(reader: &mut impl BufRead, headers: &[String]) -> io::Result<Vec<u8>> {
    let length = headers
        .iter()
        .find_map(|header| header.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body)?;
    if headers
        .iter()
        .all(|header| header != "transfer-encoding: chunked")
    {
        return Ok(body);
    }
    loop {
        let mut size = String::new();
        reader.read_line(&mut size)?;
        let size = usize::from_str_radix(size.trim_end(), 16).map_err(io::Error::other)?;
        // Each ends with an empty line, the last one too, which has nothing else.
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk)?;
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(&chunk[..size]);
    }
}
