//! Everything that an activity could want of the machine, one verb each.

use std::convert::Infallible;
use std::fs::{self, File, OpenOptions};
use std::io::{Error, Read as _, Result, Write as _};
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::poll;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use longhaul_sdk::activities;
use longhaul_sdk::http::{self, Request, Response};
use tokio::task::yield_now;

/// Bytes of a response that are told.
const TOLD_BYTES: usize = 1 << 16;
/// Bytes of a file that are read at once.
const CHUNK_BYTES: usize = 1 << 16;
/// Redirects that are followed.
const REDIRECTS_MAX: usize = 5;

/// Do what a text says: a verb, and what it is about.
pub(crate) async fn reach(what: &str) -> Result<String> {
    let mut words = what.split(' ');
    let verb = words.next().unwrap_or_default();
    let mut word = || {
        words
            .next()
            .ok_or_else(|| Error::other(format!("{verb} needs more words")))
    };
    match verb {
        // Sockets.
        "connect" => TcpStream::connect(word()?)
            .and_then(|mut peer| writeln!(peer, "reached"))
            .map(|()| "connected".to_owned()),
        "lookup" => {
            let found: Vec<String> = (word()?, 80)
                .to_socket_addrs()?
                .map(|a| a.ip().to_string())
                .collect();
            Ok(found.join(" "))
        }
        "listen" => TcpListener::bind(word()?).map(|_| "listening".to_owned()),
        "send" => {
            let socket = UdpSocket::bind("0.0.0.0:0")?;
            socket.send_to(b"reached", word()?).map(|_| "sent".to_owned())
        }
        // HTTP.
        "get" => get(word()?).await,
        "follow" => follow(word()?).await,
        "post" => {
            let body = "x".repeat(word()?.parse().map_err(Error::other)?);
            let response = http::post(word()?)
                .body(body)
                .send()
                .await
                .map_err(Error::other)?;
            told(response).await
        }
        // Two at once.
        "both" => {
            let (one, other) = longhaul_sdk::join!(get(word()?), get(word()?));
            Ok(format!("{}, {}", one?, other?))
        }
        // For so many milliseconds at most, by a timer of tokio's and by one of the SDK's.
        "patience" => {
            let limit = Duration::from_millis(word()?.parse().map_err(Error::other)?);
            match tokio::time::timeout(limit, get(word()?)).await {
                Ok(told) => told,
                Err(_) => Ok("given up".to_owned()),
            }
        }
        // The server may say nothing for so many milliseconds.
        "silence" => {
            let limit = Duration::from_millis(word()?.parse().map_err(Error::other)?);
            told_of(http::get(word()?).timeout(limit)).await
        }
        // With a header.
        "header" => {
            let request = http::get(word()?);
            told_of(request.header(word()?, word()?)).await
        }
        "limit" => {
            let limit = Duration::from_millis(word()?.parse().map_err(Error::other)?);
            match activities::timeout(limit, get(word()?)).await {
                Ok(told) => told,
                Err(_) => Ok("given up".to_owned()),
            }
        }
        // Beside a sleep of so many milliseconds that has begun and that nobody waits for any more.
        "forgotten" => {
            let time = Duration::from_millis(word()?.parse().map_err(Error::other)?);
            let mut sleep = pin!(activities::sleep(time));
            match poll!(sleep.as_mut()) {
                Poll::Ready(()) => Err(Error::other("it has not slept")),
                Poll::Pending => get(word()?).await,
            }
        }
        // So many at once.
        "all" => {
            let (count, url) = (word()?.parse::<u32>().map_err(Error::other)?, word()?);
            let mut requests: FuturesUnordered<_> = (0..count).map(|_| get(url)).collect();
            let mut told = 0;
            while let Some(answer) = requests.next().await {
                answer?;
                told += 1;
            }
            Ok(told.to_string())
        }
        // Two at once, each in a task of its own.
        "tasks" => {
            let spawn = |url: String| tokio::spawn(async move { get(&url).await });
            let (one, other) = (spawn(word()?.to_owned()), spawn(word()?.to_owned()));
            Ok(format!("{}, {}", one.await??, other.await??))
        }
        // Beside a future and a task that have something to do without end.
        "restless" => {
            let task = tokio::spawn(restless());
            let told = get(word()?).await?;
            task.abort();
            match select(pin!(get(word()?)), pin!(restless())).await {
                Either::Left((again, _)) => Ok(format!("{told}, {}", again?)),
                Either::Right((never, _)) => match never {},
            }
        }
        // What follows, as often as the first word says.
        "again" => {
            let count: u32 = word()?.parse().map_err(Error::other)?;
            let what: Vec<&str> = words.collect();
            let mut last = String::new();
            for _ in 0..count {
                last = Box::pin(reach(&what.join(" "))).await?;
            }
            Ok(last)
        }
        // The environment.
        "env" => std::env::var(word()?).map_err(Error::other),
        "envs" => {
            let mut names: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
            names.sort();
            Ok(names.join(" "))
        }
        // Files.
        "read" => fs::read_to_string(word()?),
        "length" => length(word()?),
        "write" => fs::write(word()?, "written").map(|()| "written".to_owned()),
        "append" => OpenOptions::new()
            .append(true)
            .open(word()?)
            .and_then(|mut file| file.write_all(b"written"))
            .map(|()| "written".to_owned()),
        "list" => {
            let entries: Result<Vec<_>> = fs::read_dir(word()?)?.collect();
            let mut names: Vec<String> = entries?
                .iter()
                .map(|e| e.file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            Ok(names.join(" "))
        }
        "create" => fs::create_dir(word()?).map(|()| "created".to_owned()),
        "remove" => fs::remove_file(word()?).map(|()| "removed".to_owned()),
        "rename" => fs::rename(word()?, word()?).map(|()| "renamed".to_owned()),
        "link" => fs::hard_link(word()?, word()?).map(|()| "linked".to_owned()),
        // As often as the second word says; how often it was readable, and the different texts.
        "race" => {
            let (path, count) = (word()?, word()?.parse::<u32>().map_err(Error::other)?);
            let mut texts: Vec<String> = (0..count).filter_map(|_| fs::read_to_string(path).ok()).collect();
            texts.sort();
            texts.dedup();
            Ok(texts.join(" "))
        }
        _ => Err(Error::other("this is nothing that can be reached for")),
    }
}

pub(crate) async fn get(url: &str) -> Result<String> {
    told_of(http::get(url)).await
}

async fn told_of(request: Request) -> Result<String> {
    told(request.send().await.map_err(Error::other)?).await
}

/// Reads a file in parts.
fn length(path: &str) -> Result<String> {
    let mut file = File::open(path)?;
    let (mut chunk, mut length) = (vec![0; CHUNK_BYTES], 0);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(length.to_string()),
            bytes => length += bytes,
        }
    }
}

/// Has always something to do.
async fn restless() -> Infallible {
    loop {
        yield_now().await;
    }
}

/// As a browser does.
async fn follow(url: &str) -> Result<String> {
    let mut url = url.to_owned();
    for _ in 0..REDIRECTS_MAX {
        let response = http::get(&url).send().await.map_err(Error::other)?;
        match response.header("location") {
            Some(next) => url = next.to_owned(),
            None => return told(response).await,
        }
    }
    Err(Error::other("too many redirects"))
}

async fn told(response: Response) -> Result<String> {
    let status = response.status();
    let text = response.text(TOLD_BYTES).await.map_err(Error::other)?;
    Ok(format!("{status} {text}"))
}

/// Do what a text says without end.
pub(crate) async fn exhaust(what: &str) -> Result<String> {
    let (verb, object) = what.split_once(' ').unwrap_or((what, ""));
    match verb {
        "memory" => {
            let mut kept = Vec::new();
            loop {
                kept.push(vec![1_u8; 1 << 20]);
                std::hint::black_box(&kept);
            }
        }
        "time" => loop {
            std::thread::sleep(std::time::Duration::from_secs(60));
        },
        "fuel" => loop {
            std::hint::black_box(what);
        },
        "handles" => {
            let mut open = Vec::new();
            loop {
                open.push(File::open(object)?);
            }
        }
        "sockets" => {
            let mut open = Vec::new();
            loop {
                open.push(TcpStream::connect(object)?);
            }
        }
        "response" => {
            let response = http::get(object).send().await.map_err(Error::other)?;
            let bytes = response.bytes(usize::MAX).await.map_err(Error::other)?;
            Ok(bytes.len().to_string())
        }
        _ => Err(Error::other("this is nothing that can be exhausted")),
    }
}
