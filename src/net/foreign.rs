//! Fetches what strangers name: by HTTPS, from the public internet, in small pieces and little
//! time (T13). The address that is checked is the address that is connected to, so no name server
//! can lead us elsewhere meanwhile.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CACHE_CONTROL, HeaderMap};
use reqwest::{Client, Url, redirect};

use crate::base::network;
use crate::net::careful::Careful;
use crate::net::tls;

/// What fetches.
#[derive(Debug, Clone)]
pub struct Foreign {
    client: Client,
    hosts: Arc<[String]>,
}

/// What was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The body.
    pub body: Vec<u8>,
    /// For how long it may be kept, if the server says so.
    pub max_age: Option<Duration>,
}

/// Why nothing was fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// We do not go there.
    #[error("{0}")]
    Refused(&'static str),
    /// It is not there, or not in time.
    #[error("{0}")]
    Failed(String),
}

impl Foreign {
    /// Makes a client. `hosts` are names and addresses that it may go to wherever they are; `tls`
    /// says whom it believes.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(hosts: Vec<String>, tls: &tls::Client) -> Result<Self, reqwest::Error> {
        let hosts: Arc<[String]> = hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        let client = Client::builder()
            .tls_backend_preconfigured(tls.config())
            .dns_resolver(Careful::but(hosts.clone()))
            .https_only(true)
            .http1_only()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .timeout(LIMIT)
            .pool_max_idle_per_host(0)
            .user_agent(concat!("voxtrunk/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, hosts })
    }

    /// Fetches at most `most` octets.
    ///
    /// # Errors
    /// When the URL leads where we do not go, or nothing good comes back in time.
    pub async fn fetch(&self, url: &str, most: usize) -> Result<Fetched, FetchError> {
        let url = self.allowed(url)?;
        let mut response = self.client.get(url).send().await.map_err(|why| failed(&why))?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Failed(format!("HTTP {}", response.status().as_u16())));
        }
        let too_large = || FetchError::Failed(format!("it has more than {most} octets"));
        if response.content_length().is_some_and(|length| length > most as u64) {
            return Err(too_large());
        }
        let max_age = max_age(response.headers());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|why| failed(&why))? {
            if body.len().saturating_add(chunk.len()) > most {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Fetched { body, max_age })
    }

    /// Whether we go there, as far as the URL tells.
    ///
    /// # Errors
    /// With why not.
    pub fn allowed(&self, url: &str) -> Result<Url, FetchError> {
        let refused = FetchError::Refused;
        if url.len() > LONGEST {
            return Err(refused("it is too long"));
        }
        let parsed = Url::parse(url).map_err(|_| refused("it is no URL"))?;
        if parsed.scheme() != "https" {
            return Err(refused("it is not https"));
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(refused("it names a user"));
        }
        // ATIS-1000074 5.3.1: nothing that could tell the server which call it was.
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(refused("it has a query or a fragment"));
        }
        let host = parsed.host_str().ok_or(refused("it has no host"))?.to_ascii_lowercase();
        let bare = host.trim_matches(['[', ']']);
        if self.hosts.iter().any(|allowed| allowed == bare) {
            return Ok(parsed);
        }
        if !PORTS.contains(&parsed.port_or_known_default().unwrap_or_default()) {
            return Err(refused("its port is neither 443 nor 8443"));
        }
        match bare.parse::<IpAddr>() {
            Ok(address) if !network::is_public(address) => {
                Err(refused("it is not on the public internet"))
            }
            Ok(_) | Err(_) => Ok(parsed),
        }
    }
}

/// What a failure means, without the URL: logs are read by people who need not know it.
fn failed(why: &reqwest::Error) -> FetchError {
    let reason = match () {
        () if why.is_timeout() => "no answer in time",
        () if why.is_connect() => "no connection",
        () => "the connection broke",
    };
    FetchError::Failed(reason.to_owned())
}

fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(CACHE_CONTROL)?.to_str().ok()?;
    let directives = || value.split(',').map(str::trim);
    if directives().any(|it| it.eq_ignore_ascii_case("no-store")) {
        return Some(Duration::ZERO);
    }
    let seconds = directives().find_map(|it| it.strip_prefix("max-age="))?;
    seconds.parse().ok().map(Duration::from_secs)
}

/// How long a fetch may take, from the name server to the last octet.
const LIMIT: Duration = Duration::from_secs(3);

/// The longest URL, in octets.
const LONGEST: usize = 1_024;

/// The ports of certificate repositories (ATIS-1000074 5.3.1).
const PORTS: [u16; 2] = [443, 8443];

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign() -> Foreign {
        let tls = tls::Client::load(tls::Files::default()).expect("no files");
        let hosts = vec!["127.0.0.1".to_owned(), "Cert.internal".to_owned()];
        Foreign::new(hosts, &tls).expect("a client")
    }

    #[tokio::test]
    async fn strangers_do_not_choose_where_we_go() {
        let foreign = foreign();
        for url in [
            "http://cert.example/a.pem",
            "ftp://cert.example/a.pem",
            "file:///etc/passwd",
            "https://user@cert.example/a.pem",
            "https://cert.example/a.pem?call=1",
            "https://cert.example/a.pem#x",
            "https://cert.example:22/a.pem",
            "https://10.0.0.1/a.pem",
            "https://[::1]/a.pem",
            "https://[::ffff:127.0.0.2]/a.pem",
            "https://2130706434/a.pem",
            "https://0x7f.2/a.pem",
            "https://169.254.169.254/latest",
            "a.pem",
            "",
        ] {
            let fetched = foreign.fetch(url, 10).await;
            assert!(matches!(fetched, Err(FetchError::Refused(_))), "{url}: {fetched:?}");
        }
        let long = format!("https://cert.example/{}", "a".repeat(LONGEST));
        assert!(foreign.allowed(&long).is_err());
        // A name may lead anywhere: that is told when it is resolved.
        let fetched = foreign.fetch("https://localhost/a.pem", 10).await;
        assert_eq!(fetched, Err(FetchError::Failed("no connection".to_owned())));
    }

    #[tokio::test]
    async fn the_operator_may_allow_a_host() {
        let foreign = foreign();
        for url in [
            "https://127.0.0.1:5555/a.pem",
            "https://cert.internal:5555/a.pem",
            "https://cert.example:8443/a.pem",
        ] {
            assert!(foreign.allowed(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_server_says_how_long_its_answer_may_be_kept() {
        let age = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, value.parse().expect("a value"));
            max_age(&headers)
        };
        assert_eq!(age("public, max-age=60"), Some(Duration::from_secs(60)));
        assert_eq!(age("max-age=60, no-store"), Some(Duration::ZERO));
        assert_eq!(age("max-age=-1"), None);
        assert_eq!(max_age(&HeaderMap::new()), None);
    }
}
