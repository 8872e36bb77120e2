//! The architecture, written down: which package may depend on which, and on which library. `ARCHITECTURE.md` tells why.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what is wrong by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Every package of the workspace, and exactly the ones of ours that its own code (not its tests) depends on.
const PACKAGES: &[(&str, &[&str])] = &[
    ("larder-domain", &[]),
    ("larder-ports", &["larder-domain"]),
    ("larder-services", &["larder-domain", "larder-ports"]),
    ("larder-http", &["larder-domain", "larder-ports"]),
    ("larder-metrics", &["larder-ports"]),
    ("larder-security", &["larder-domain", "larder-ports"]),
    ("larder-sql", &["larder-domain", "larder-migrations", "larder-ports"]),
    ("larder-migrations", &[]),
    (
        "larder-sqlx",
        &["larder-domain", "larder-migrations", "larder-ports", "larder-sql"],
    ),
    (
        "larder-tokio-postgres",
        &["larder-domain", "larder-ports", "larder-sql"],
    ),
    (
        "larder",
        &[
            "larder-domain",
            "larder-http",
            "larder-metrics",
            "larder-migrations",
            "larder-ports",
            "larder-security",
            "larder-services",
            "larder-sql",
            "larder-sqlx",
            "larder-tokio-postgres",
        ],
    ),
    ("larder-conformance", &["larder-domain", "larder-ports"]),
    ("larder-e2e", &[]),
    ("larder-bench", &[]),
];

/// Libraries that belong to one room of the house, and the packages whose own code may depend on them.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("sqlx", &["larder-sqlx"]),
    ("tokio-postgres", &["larder-tokio-postgres"]),
    ("deadpool-postgres", &["larder-tokio-postgres"]),
    ("poem", &["larder-http"]),
    ("poem-openapi", &["larder-http"]),
    ("bcrypt", &["larder-security"]),
    ("jsonwebtoken", &["larder-security"]),
    ("hyper", &["larder", "larder-http", "larder-security"]),
    ("opentelemetry", &["larder"]),
    ("prometheus-client", &["larder-metrics"]),
    ("clap", &["larder"]),
    ("figment", &["larder"]),
];

/// What `domain` must do without: it has no I/O and waits for nothing.
const NOT_IN_DOMAIN: &[&str] = &["async-trait", "futures-util", "getrandom", "tokio", "tracing"];

#[test]
fn the_edges_between_packages_are_the_allowed_ones() {
    let packages = packages();
    let known: BTreeSet<&str> = PACKAGES.iter().map(|(name, _)| *name).collect();
    let found: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    assert_eq!(
        found, known,
        "A package came or went. Say in the table PACKAGES of this test what it may depend on, and draw it in ARCHITECTURE.md."
    );
    for (name, allowed) in PACKAGES {
        let package = packages.iter().find(|package| package.name == *name).unwrap();
        let edges: BTreeSet<&str> = package.normal().filter(|edge| known.contains(edge)).collect();
        assert_eq!(
            edges,
            allowed.iter().copied().collect::<BTreeSet<_>>(),
            "{name} depends on other packages of ours (left) than ARCHITECTURE.md allows (right). Move the code to where it belongs, \
             or change the table in this test and ARCHITECTURE.md together."
        );
    }
}

#[test]
fn libraries_stay_in_their_rooms() {
    let users: BTreeMap<String, BTreeSet<String>> =
        packages().into_iter().fold(BTreeMap::new(), |mut users, package| {
            for library in package.normal() {
                users
                    .entry(library.to_owned())
                    .or_default()
                    .insert(package.name.clone());
            }
            users
        });
    for (library, allowed) in LIBRARIES {
        for user in users.get(*library).into_iter().flatten() {
            assert!(
                allowed.contains(&user.as_str()),
                "{user} depends on {library}, which only {allowed:?} may: go through a port instead."
            );
        }
    }
    for library in NOT_IN_DOMAIN {
        assert!(
            !users.get(*library).is_some_and(|users| users.contains("larder-domain")),
            "larder-domain depends on {library}, but has no I/O and waits for nothing."
        );
    }
}

#[test]
fn every_package_inherits_the_lints_and_unsafe_is_forbidden() {
    let workspace = manifest(&root().join("Cargo.toml"));
    assert_eq!(
        workspace["workspace"]["lints"]["rust"]["unsafe_code"].as_str(),
        Some("forbid")
    );
    for package in packages() {
        let lints = manifest(&package.manifest).get("lints").cloned();
        assert_eq!(
            lints.as_ref().and_then(|lints| lints.get("workspace")?.as_bool()),
            Some(true),
            "{} needs `[lints] workspace = true` in its Cargo.toml.",
            package.name
        );
    }
}

struct Package {
    name: String,
    manifest: PathBuf,
    /// Name and kind, where no kind means a normal dependency.
    dependencies: Vec<(String, Option<String>)>,
}

impl Package {
    /// What its own code and its build script depend on.
    fn normal(&self) -> impl Iterator<Item = &str> {
        self.dependencies
            .iter()
            .filter(|(_, kind)| kind.as_deref() != Some("dev"))
            .map(|(name, _)| name.as_str())
    }
}

fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let dependency = |value: &Value| (text(&value["name"]).unwrap(), text(&value["kind"]));
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| Package {
            name: text(&package["name"]).unwrap(),
            manifest: text(&package["manifest_path"]).unwrap().into(),
            dependencies: package["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .map(dependency)
                .collect(),
        })
        .collect()
}

fn manifest(path: &Path) -> toml::Table {
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}
