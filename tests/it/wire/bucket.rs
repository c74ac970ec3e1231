//! A store of another make that speaks S3: `s3s` over a folder. It reads our requests with its own
//! eyes and checks each signature by its own arithmetic.

use std::net::SocketAddr;
use std::path::PathBuf;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;

use super::server::Folder;

/// A store at work.
#[derive(Debug)]
pub struct Bucket {
    /// Where it listens.
    pub address: SocketAddr,
    folder: Folder,
}

impl Bucket {
    pub const ACCESS_KEY: &'static str = "AKIATESTTESTTEST";
    pub const SECRET_KEY: &'static str = "a/very+secret/key";

    /// Starts one with an empty bucket `calls`.
    pub async fn start() -> Self {
        let folder = Folder::new();
        std::fs::create_dir_all(folder.path("calls")).expect("a bucket");
        let files = FileSystem::new(folder.path("")).expect("a folder");
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(Self::ACCESS_KEY, Self::SECRET_KEY));
        let service = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let builder = Builder::new(TokioExecutor::new());
                    builder.serve_connection(TokioIo::new(stream), service).await.ok();
                });
            }
        });
        Self { address, folder }
    }

    /// Where an object of the bucket stands.
    pub fn path(&self, key: &str) -> PathBuf {
        self.folder.path("calls").join(key)
    }
}
