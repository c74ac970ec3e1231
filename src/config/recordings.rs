//! Recordings, as they stand in `[storage.recordings]`: where they are kept, in which form, and
//! sealed with what.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use crate::base::secret::Secret;
use crate::base::units::optional_duration;

/// `[storage.recordings]`: where recordings are kept.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Recordings {
    /// A folder, also as `file://`, or `s3://bucket/prefix`; without it, `recordings` in the data
    /// folder.
    pub location: Location,
    /// In which form.
    pub format: Format,
    /// A key of 32 octets, hexadecimal or in base64; without it, they can be read by whoever can
    /// read the file.
    #[schemars(with = "Option<String>")]
    pub encrypt: Option<Secret>,
    /// How long they are kept after the beginning of their call; without it, for ever.
    #[serde(deserialize_with = "optional_duration")]
    pub retention: Option<Duration>,
    /// The store of `s3://`.
    pub s3: S3,
}

/// Where recordings are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, JsonSchema)]
#[schemars(with = "String", extend("pattern" = r"(file|s3)://.*|[^:]*(:[^/].*)?"))]
pub enum Location {
    /// In the data folder.
    #[default]
    InDataFolder,
    /// In this folder.
    Folder(PathBuf),
    /// In a store that speaks S3; until they are there, in the data folder.
    Bucket {
        /// The bucket.
        bucket: String,
        /// What stands before the names, without slashes at its ends.
        prefix: String,
    },
}

/// The form of recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Samples of 16 bits, stereo.
    #[default]
    Wav,
    /// Opus in Ogg, two voices: about a tenth of the size.
    Opus,
}

/// `[storage.recordings.s3]`: a store that speaks S3.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct S3 {
    /// Where it is, such as `https://s3.eu-central-1.amazonaws.com`.
    pub endpoint: Option<String>,
    /// Its region.
    pub region: Option<String>,
    /// The name of the account's key.
    #[schemars(with = "Option<String>")]
    pub access_key: Option<Secret>,
    /// The key.
    #[schemars(with = "Option<String>")]
    pub secret_key: Option<Secret>,
}

impl Location {
    /// The folder, if it is one that was chosen.
    pub fn folder(&self) -> Option<&PathBuf> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::InDataFolder | Self::Bucket { .. } => None,
        }
    }

    /// The same, to be changed.
    pub fn folder_mut(&mut self) -> Option<&mut PathBuf> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::InDataFolder | Self::Bucket { .. } => None,
        }
    }
}

impl<'de> Deserialize<'de> for Location {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        match text.split_once("://") {
            None => Ok(Self::Folder(text.into())),
            Some(("file", path)) => Ok(Self::Folder(path.into())),
            Some(("s3", place)) => bucket(place).map_err(de::Error::custom),
            Some((scheme, _)) => {
                Err(de::Error::custom(format!("recordings at `{scheme}://` are not supported yet")))
            }
        }
    }
}

fn bucket(place: &str) -> Result<Location, String> {
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(fits) {
        return Err(format!("`{bucket}` is no name of a bucket: write s3://bucket/prefix"));
    }
    let prefix = prefix.trim_matches('/').to_owned();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    if !prefix.bytes().all(plain) || prefix.split('/').any(|part| part == "..") {
        return Err(format!("`{prefix}` is no prefix: letters, digits, `-`, `_`, `.` and `/`"));
    }
    Ok(Location::Bucket { bucket: bucket.to_owned(), prefix })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Recordings, String> {
        toml::from_str(text).map_err(|why| why.message().to_owned())
    }

    #[test]
    fn recordings_stand_in_a_folder_or_in_a_bucket() {
        let location = |text: &str| read(&format!("location = {text:?}")).map(|it| it.location);
        assert_eq!(read("").map(|it| it.location), Ok(Location::InDataFolder));
        assert_eq!(location("/srv/rec"), Ok(Location::Folder("/srv/rec".into())));
        assert_eq!(location("file:///srv/rec"), Ok(Location::Folder("/srv/rec".into())));
        let bucket = |prefix: &str| Location::Bucket {
            bucket: "calls.example".to_owned(),
            prefix: prefix.to_owned(),
        };
        assert_eq!(location("s3://calls.example"), Ok(bucket("")));
        assert_eq!(location("s3://calls.example/a/b/"), Ok(bucket("a/b")));
        for wrong in ["gs://x", "s3://", "s3://Calls/x", "s3://calls/../x", "s3://calls/a b"] {
            assert!(location(wrong).is_err(), "{wrong}");
        }
        assert!(read("format = \"mp3\"").is_err());
    }
}
