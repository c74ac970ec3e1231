//! Brings large files whose size and sum are known. What was brought before a connection broke is
//! kept beside the file, in `NAME.part`, and the next request asks for the rest (RFC 9110, 14.2).

use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, IF_RANGE, RANGE,
};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use tokio::fs::{self, File};
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};
use tokio::task::spawn_blocking;

use crate::base::sum;
use crate::net::tls;

/// What brings files.
#[derive(Debug, Clone)]
pub struct Downloads {
    client: Client,
}

/// A file as it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Where it is to be had.
    pub url: String,
    /// How many octets it has.
    pub size: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// Why a file was not brought.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// Nothing can be asked for there.
    #[error("`{0}` is no address of a web server")]
    Address(String),
    /// The server has it not, or not for us.
    #[error("the server answers with HTTP {0}")]
    Refused(StatusCode),
    /// It is another file than the one that is wanted.
    #[error("the server's file has {found} octets, and the right one {wanted}")]
    Size {
        /// How many it has.
        found: u64,
        /// How many it should have.
        wanted: u64,
    },
    /// It goes on after its end.
    #[error("the server's file has more octets than the right one, which has {0}")]
    TooLarge(u64),
    /// Something else came than what is wanted.
    #[error("its SHA-256 is {found}, and that of the right file {wanted}; what came is deleted")]
    Sum {
        /// What came.
        found: String,
        /// What should have come.
        wanted: String,
    },
    /// The connection is not to be had, or breaks again and again.
    #[error("{0}; what came is kept, and the next try goes on from there")]
    Broken(&'static str),
    /// Somebody else brings it.
    #[error("another download of it is under way")]
    Busy,
    /// The disk.
    #[error("{}: {why}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: io::Error,
    },
}

impl Downloads {
    /// Makes a client. `tls` says whom it believes.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(tls: &tls::Client) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls.config())
            .http1_only()
            .redirect(redirect::Policy::custom(led))
            .no_proxy()
            .referer(false)
            .connect_timeout(PATIENCE)
            .read_timeout(PATIENCE)
            .user_agent(concat!("voxtrunk/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client })
    }

    /// Brings a file to `path`, where it appears whole and right or not at all. `told` hears how
    /// many octets are there.
    ///
    /// # Errors
    /// When it cannot be had, or is not what is wanted.
    pub async fn bring(
        &self,
        wanted: &Wanted,
        path: &Path,
        told: impl Fn(u64),
    ) -> Result<(), DownloadError> {
        let url =
            Url::parse(&wanted.url).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
        let url = url.ok_or_else(|| DownloadError::Address(wanted.url.clone()))?;
        let mut part = Part::open(path).await?;
        if part.length > wanted.size {
            part.restart(None).await?;
        }
        let mut futile = 0;
        while part.length < wanted.size {
            let before = part.length;
            match self.attempt((&url, wanted.size), &mut part, &told).await {
                Ok(()) => {}
                Err(DownloadError::Broken(_)) if part.length > before => futile = 0,
                Err(DownloadError::Broken(_)) if futile + 1 < MOST_FUTILE => {
                    futile += 1;
                    tokio::time::sleep(PAUSE * futile).await;
                }
                Err(why) => {
                    part.give_up().await?;
                    return Err(why);
                }
            }
        }
        part.finish(wanted).await
    }

    /// Asks once for what is missing.
    async fn attempt(
        &self,
        (url, size): (&Url, u64),
        part: &mut Part,
        told: &impl Fn(u64),
    ) -> Result<(), DownloadError> {
        // The sum is that of the octets as they lie there.
        let mut request = self.client.get(url.clone()).header(ACCEPT_ENCODING, "identity");
        if part.length > 0 {
            request = request.header(RANGE, format!("bytes={}-", part.length));
            // Without a tag the sum tells whether it is still the same file.
            let tag = part.tag().await.and_then(|tag| HeaderValue::from_str(&tag).ok());
            request = tag.into_iter().fold(request, |request, tag| request.header(IF_RANGE, tag));
        }
        let mut response = request.send().await.map_err(|why| broken(&why))?;
        self.begin(&response, size, part).await?;
        while let Some(chunk) = response.chunk().await.map_err(|why| broken(&why))? {
            if part.length + chunk.len() as u64 > size {
                part.restart(None).await?;
                return Err(DownloadError::TooLarge(size));
            }
            part.write(&chunk).await?;
            told(part.length);
        }
        part.flush().await?;
        match part.length < size {
            true => Err(DownloadError::Broken("the connection breaks before the end")),
            false => Ok(()),
        }
    }

    /// Looks at what the server is about to send, and makes room for it.
    async fn begin(
        &self,
        response: &Response,
        size: u64,
        part: &mut Part,
    ) -> Result<(), DownloadError> {
        let total = match response.status() {
            StatusCode::OK => response.content_length(),
            StatusCode::PARTIAL_CONTENT => match range(response.headers()) {
                Some((start, total)) if start == part.length => total,
                Some(_) | None => {
                    part.restart(None).await?;
                    return Err(DownloadError::Broken("the server sends another part"));
                }
            },
            // What is there is no beginning of its file.
            StatusCode::RANGE_NOT_SATISFIABLE if part.length > 0 => {
                part.restart(None).await?;
                return Err(DownloadError::Broken("the server has no such part"));
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                return Err(DownloadError::Broken("the server takes no more requests for now"));
            }
            status if status.is_server_error() => {
                return Err(DownloadError::Broken("the server is in trouble"));
            }
            status => return Err(DownloadError::Refused(status)),
        };
        if let Some(found) = total.filter(|total| *total != size) {
            part.restart(None).await?;
            return Err(DownloadError::Size { found, wanted: size });
        }
        if response.status() == StatusCode::OK {
            part.restart(strong_tag(response.headers())).await?;
        }
        Ok(())
    }
}

/// A file that is not whole yet. Its lock is held as long as it is open.
struct Part {
    file: File,
    path: PathBuf,
    whole: PathBuf,
    length: u64,
}

impl Part {
    async fn open(whole: &Path) -> Result<Self, DownloadError> {
        let path = whole.with_added_extension("part");
        let failed = |why| DownloadError::File { path: path.clone(), why };
        if let Some(folder) = whole.parent() {
            fs::create_dir_all(folder).await.map_err(failed)?;
        }
        let options = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let file = options.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DownloadError::Busy),
            Err(TryLockError::Error(why)) => return Err(failed(why)),
        }
        let mut file = File::from_std(file);
        let length = file.seek(io::SeekFrom::End(0)).await.map_err(failed)?;
        Ok(Self { file, path, whole: whole.to_owned(), length })
    }

    /// Begins anew, with the tag of what comes now.
    async fn restart(&mut self, tag: Option<String>) -> Result<(), DownloadError> {
        let emptied = async {
            self.file.set_len(0).await?;
            self.file.rewind().await
        };
        emptied.await.map_err(|why| self.failed(why))?;
        self.length = 0;
        match tag {
            Some(tag) => fs::write(self.tag_path(), tag).await.map_err(|why| self.failed(why)),
            None => {
                fs::remove_file(self.tag_path()).await.ok();
                Ok(())
            }
        }
    }

    async fn write(&mut self, octets: &[u8]) -> Result<(), DownloadError> {
        let written = self.file.write_all(octets).await;
        written.map_err(|why| self.failed(why))?;
        self.length += octets.len() as u64;
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), DownloadError> {
        let flushed = self.file.flush().await;
        flushed.map_err(|why| self.failed(why))
    }

    /// Keeps what there is for another time, if there is anything.
    async fn give_up(&mut self) -> Result<(), DownloadError> {
        self.flush().await?;
        if self.length == 0 {
            fs::remove_file(self.tag_path()).await.ok();
            fs::remove_file(&self.path).await.map_err(|why| self.failed(why))?;
        }
        Ok(())
    }

    /// What the server calls the file that this is the beginning of.
    async fn tag(&self) -> Option<String> {
        fs::read_to_string(self.tag_path()).await.ok()
    }

    /// Puts it where it belongs, if it is what is wanted.
    async fn finish(self, wanted: &Wanted) -> Result<(), DownloadError> {
        let path = self.path.clone();
        let summed = spawn_blocking(move || sum::sha256(std::fs::File::open(path)?)).await;
        let summed = summed.expect("reading does not panic");
        let (found, _) = summed.map_err(|why| self.failed(why))?;
        fs::remove_file(self.tag_path()).await.ok();
        if found != wanted.sha256 {
            fs::remove_file(&self.path).await.map_err(|why| self.failed(why))?;
            return Err(DownloadError::Sum { found, wanted: wanted.sha256.clone() });
        }
        let moved = async {
            self.file.sync_all().await?;
            fs::rename(&self.path, &self.whole).await?;
            // The name is as durable as what stands under it.
            let folder = self.whole.parent().filter(|it| !it.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new("."))).await?.sync_all().await
        };
        moved.await.map_err(|why| self.failed(why))
    }

    fn tag_path(&self) -> PathBuf {
        self.path.with_added_extension("tag")
    }

    fn failed(&self, why: io::Error) -> DownloadError {
        DownloadError::File { path: self.path.clone(), why }
    }
}

/// Follows a server that sends us elsewhere, a few times, and never from TLS to none.
fn led(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let was_secret = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
    if attempt.previous().len() > MOST_REDIRECTS || was_secret && attempt.url().scheme() != "https"
    {
        return attempt.stop();
    }
    attempt.follow()
}

/// Where a part begins, and how long the whole is: `bytes 100-199/200`.
fn range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let value = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    let (part, total) = value.split_once('/')?;
    let start = part.split_once('-')?.0.parse().ok()?;
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    Some((start, total))
}

/// The tag of a file, if it promises the same octets: a weak one may not stand behind `If-Range`
/// (RFC 9110, 13.1.5).
fn strong_tag(headers: &HeaderMap) -> Option<String> {
    let tag = headers.get(ETAG)?.to_str().ok()?;
    (tag.starts_with('"') && tag.len() <= LONGEST_TAG).then(|| tag.to_owned())
}

fn broken(why: &reqwest::Error) -> DownloadError {
    DownloadError::Broken(match () {
        () if why.is_connect() => "no connection",
        () if why.is_timeout() => "nothing comes any more",
        () => "the connection breaks",
    })
}

/// How long a server may be silent.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often in a row a request may bring nothing.
const MOST_FUTILE: u32 = 3;

/// How long it rests after a request that brought nothing, more each time.
const PAUSE: Duration = Duration::from_millis(500);

/// How often it lets itself be sent elsewhere.
const MOST_REDIRECTS: usize = 5;

/// The longest tag that is kept, in octets.
const LONGEST_TAG: usize = 1_024;
