//! The signing key of an installation that was given none (`ID-21`).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use larder_security::{JwtConfig, JwtKey, KeyMaterial};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::{Digest, Sha256};

use crate::config::{Config, ConfigError, JWT_KEYS, Problem, variable_of};

/// Bytes of a generated key.
const LENGTH: usize = 32;

/// The configured keys; in development and test one is made at the first start and kept in the data folder.
pub(crate) fn jwt_config(config: &Config) -> Result<JwtConfig, ConfigError> {
    let mut jwt = config.identity.jwt.clone();
    if !jwt.keys.is_empty() {
        return Ok(jwt);
    }
    if config.environment.is_strict() {
        let text = format!(
            "no signing key is configured, and in {environment} none is made up: set the variable {variable} (or \
             {variable}_FILE), for example to [{{ kid = \"2026-04\", secret = \"...\" }}] with at least 32 random bytes",
            environment = config.environment.as_str(),
            variable = variable_of(JWT_KEYS),
        );
        return Err(Problem::coded("jwt_key_missing", text).of(JWT_KEYS).into());
    }
    let path = config
        .data_dir
        .join(format!("larder-{}.key", config.environment.as_str()));
    let key = read_or_make(&path).map_err(|error| {
        let text = format!("none is configured, and {} can't be used: {error}", path.display());
        Problem::new(text).of(JWT_KEYS)
    })?;
    jwt.keys.push(key);
    Ok(jwt)
}

/// The key in a file, which is made first if it is missing. Of processes that start at once all get the same key.
fn read_or_make(path: &Path) -> io::Result<JwtKey> {
    match read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(path)?;
            read(path)
        }
        outcome => outcome,
    }
}

fn read(path: &Path) -> io::Result<JwtKey> {
    let text: SecretSlice<u8> = fs::read(path)?.into();
    let decoded = URL_SAFE_NO_PAD.decode(text.expose_secret().trim_ascii());
    let seed: SecretSlice<u8> = match decoded {
        Ok(bytes) if bytes.len() == LENGTH => bytes.into(),
        // The source is left out: it may quote the key.
        _ => {
            return Err(io::Error::other(
                "it holds no key of Larder; delete it to get a new one",
            ));
        }
    };
    warn_if_readable_by_others(path)?;
    Ok(JwtKey {
        kid: name_of(&seed),
        material: KeyMaterial::Seed(seed),
    })
}

/// Writes a new key beside `path` and links it there, so that nobody ever sees half of it and only the first of several wins.
fn make(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut key = [0; LENGTH];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let draft = draft_of(path);
    let written = write_private(&draft, &URL_SAFE_NO_PAD.encode(key)).and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    match written {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}-{:08x}", std::process::id(), fastrand::u32(..)));
    name.into()
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file: File = options.open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

#[cfg(unix)]
fn warn_if_readable_by_others(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
        tracing::warn!(file = %path.display(), "others can read the signing key; run chmod 600 on it");
    }
    Ok(())
}

#[cfg(not(unix))]
fn warn_if_readable_by_others(_: &Path) -> io::Result<()> {
    Ok(())
}

/// A name that tells two keys apart and tells nothing of either.
fn name_of(seed: &SecretSlice<u8>) -> String {
    let digest = Sha256::new()
        .chain_update(b"larder key name v1")
        .chain_update(seed.expose_secret())
        .finalize();
    format!("local-{}", URL_SAFE_NO_PAD.encode(&digest[..6]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Barrier;

    use tempfile::TempDir;

    use super::*;
    use crate::config::Inputs;

    fn seed_of(key: &JwtKey) -> Vec<u8> {
        key.material.to_bytes().expose_secret().to_vec()
    }

    fn config(variables: &[(&str, &str)]) -> Config {
        let inputs = Inputs {
            variables: variables
                .iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            ..Inputs::default()
        };
        Config::load(&inputs).unwrap()
    }

    #[test]
    fn id_21_made_once_and_kept() {
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("data");
        let config = config(&[("LARDER_DATA_DIR", data.to_str().unwrap())]);
        let first = jwt_config(&config).unwrap().keys.remove(0);
        let second = jwt_config(&config).unwrap().keys.remove(0);
        assert_eq!((seed_of(&first), &first.kid), (seed_of(&second), &second.kid));
        assert_eq!(seed_of(&first).len(), LENGTH);
        let files: Vec<_> = fs::read_dir(&data)
            .unwrap()
            .map(|file| file.unwrap().file_name())
            .collect();
        assert_eq!(files, ["larder-development.key"]);
    }

    #[cfg(unix)]
    #[test]
    fn id_21_readable_by_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;

        let folder = TempDir::new().unwrap();
        let path = folder.path().join("larder-test.key");
        read_or_make(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn processes_that_start_at_once_get_one_key() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("larder-test.key");
        let start = Barrier::new(8);
        let seeds: BTreeSet<Vec<u8>> = std::thread::scope(|scope| {
            let tasks: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        seed_of(&read_or_make(&path).unwrap())
                    })
                })
                .collect();
            tasks.into_iter().map(|task| task.join().unwrap()).collect()
        });
        assert_eq!(seeds.len(), 1);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_key_is_refused_and_not_shown() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("larder-test.key");
        fs::write(&path, "half of a ke").unwrap();
        let error = read_or_make(&path).unwrap_err().to_string();
        assert!(error.contains("delete it") && !error.contains("half"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "half of a ke");
    }

    #[test]
    fn t_029_production_without_a_key_names_it() {
        for environment in ["production", "staging"] {
            let config = config(&[
                ("LARDER_ENVIRONMENT", environment),
                ("LARDER_DATABASE__URL", "sqlite:a.db"),
            ]);
            let error = jwt_config(&config).unwrap_err().to_string();
            assert!(
                error.contains("identity.jwt.keys") && error.contains("variable LARDER_IDENTITY__JWT__KEYS ("),
                "{error}"
            );
            assert!(error.contains(&format!("in {environment} none")), "{error}");
        }
    }
}
