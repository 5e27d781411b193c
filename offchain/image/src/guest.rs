//! `guest.toml` of the measured configuration: what runs, on which network, and what a host may add.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde::Deserialize;

use crate::error::ImageError;
use crate::host::HostFiles;
use crate::limits::MAX_VALUE_BYTES;
use crate::spec::Spec;

/// Name of the file.
const FILE: &str = "guest.toml";

/// What the guest does.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuestConfig {
    /// What runs.
    pub runner: RunnerConfig,
    /// The guest's network; without it there is only the loopback device.
    #[serde(default)]
    pub network: Option<NetworkConfig>,
    /// What a host adds; nothing when absent.
    #[serde(default)]
    pub host: HostConfig,
}

/// The program that the guest is there for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunnerConfig {
    /// Absolute path inside the root.
    pub program: String,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// Files of the configuration that are written to `/run/cocoon` after each `@{name}` in them was replaced by the
    /// host's value of that name.
    #[serde(default)]
    pub templates: Vec<String>,
}

/// A fixed address: what a host assigns would be neither measured nor needed behind QEMU's user network.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// The guest's address.
    pub address: Ipv4Addr,
    /// Bits of the network, 0 to 32.
    pub prefix: u8,
    /// Where everything else is reached.
    pub gateway: Ipv4Addr,
}

/// Names of what a host adds. What is not named here is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostConfig {
    /// Values for the templates. All of them must be given.
    #[serde(default)]
    pub values: BTreeSet<String>,
    /// Files that are copied to `/run/cocoon` as they are.
    #[serde(default)]
    pub files: BTreeSet<String>,
}

impl GuestConfig {
    /// Reads `guest.toml` of the configuration and checks that its templates are there and use named values only.
    pub fn load(spec: &Spec) -> Result<Self, ImageError> {
        let config: Self =
            toml::from_str(text(spec, FILE)?).map_err(|error| refused(FILE, error.to_string().trim_end()))?;
        if !config.runner.program.starts_with('/') {
            return Err(refused(FILE, "runner.program must be an absolute path"));
        }
        if config.network.as_ref().is_some_and(|network| network.prefix > 32) {
            return Err(refused(FILE, "network.prefix is at most 32"));
        }
        if let Some(name) = config.host.values.intersection(&config.host.files).next() {
            return Err(refused(FILE, &format!("`{name}` cannot be both a value and a file")));
        }
        for name in &config.runner.templates {
            if config.host.files.contains(name) {
                return Err(refused(
                    FILE,
                    &format!("`{name}` cannot be both a template and a file of the host"),
                ));
            }
            if name.contains('/') {
                return Err(refused(
                    FILE,
                    &format!("the template `{name}` must lie in the folder itself"),
                ));
            }
            let mut odd = None;
            let _ = fill(text(spec, name)?, |value| {
                if !config.host.values.contains(value) {
                    odd = Some(value.to_owned());
                }
                Some("")
            })
            .ok_or_else(|| refused(name, "`@{` without its `}`"))?;
            if let Some(value) = odd {
                return Err(refused(name, &format!("`@{{{value}}}` is not one of host.values")));
            }
        }
        Ok(config)
    }

    /// What is written to `/run/cocoon`: filled templates and the host's files. Every value must be there and plain,
    /// and nothing else may be.
    pub fn render(&self, spec: &Spec, host: &HostFiles) -> Result<Vec<(String, Vec<u8>)>, ImageError> {
        let fault = |name: &str, fault| ImageError::HostFile {
            name: name.to_owned(),
            fault,
        };
        for name in host.names() {
            if !self.host.values.contains(name) && !self.host.files.contains(name) {
                return Err(fault(name, "not one that the image asks for"));
            }
        }
        for name in &self.host.values {
            let value = host.get(name).ok_or_else(|| fault(name, "missing"))?;
            plain(value).ok_or_else(|| fault(name, "not one line of plain characters"))?;
        }
        let mut written = Vec::new();
        for name in &self.runner.templates {
            let filled = fill(text(spec, name)?, |value| host.get(value).and_then(plain));
            let filled = filled.ok_or_else(|| refused(name, "a value is missing"))?;
            written.push((name.clone(), filled.into_bytes()));
        }
        for name in &self.host.files {
            let content = host.get(name).ok_or_else(|| fault(name, "missing"))?;
            written.push((name.clone(), content.to_vec()));
        }
        Ok(written)
    }
}

fn refused(file: &str, message: &str) -> ImageError {
    ImageError::Config {
        file: file.to_owned(),
        message: message.to_owned(),
    }
}

fn text<'a>(spec: &'a Spec, name: &str) -> Result<&'a str, ImageError> {
    let content = spec.file(name).ok_or_else(|| refused(name, "not there"))?;
    std::str::from_utf8(content).map_err(|_| refused(name, "not UTF-8"))
}

/// A host's value: one line whose characters mean nothing to TOML inside quotes, so that it stays inside them.
fn plain(value: &[u8]) -> Option<&str> {
    let value = std::str::from_utf8(value).ok()?;
    let value = value.strip_suffix('\n').unwrap_or(value);
    let good = value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/@+=".contains(&byte));
    (good && !value.is_empty() && value.len() <= MAX_VALUE_BYTES).then_some(value)
}

/// Replaces each `@{name}`. Nothing when one is not closed or has no value.
fn fill<'a>(template: &str, mut value: impl FnMut(&str) -> Option<&'a str>) -> Option<String> {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("@{") {
        let (name, behind) = after.split_once('}')?;
        filled.push_str(before);
        filled.push_str(value(name)?);
        rest = behind;
    }
    filled.push_str(rest);
    Some(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Node;

    const GUEST: &str = "\
[runner]
program = \"/usr/bin/cocoon\"
arguments = [\"worker\", \"run\"]
templates = [\"worker.toml\"]
[network]
address = \"10.0.2.15\"
prefix = 24
gateway = \"10.0.2.2\"
[host]
values = [\"owner\"]
files = [\"platform.json\"]
";

    fn spec(guest: &str, template: &str) -> Spec {
        let mut spec = Spec::default();
        spec.insert("guest.toml", Node::File(guest.into())).unwrap();
        spec.insert("worker.toml", Node::File(template.into())).unwrap();
        spec
    }

    fn host(files: &[(&str, &str)]) -> HostFiles {
        HostFiles::new(
            files
                .iter()
                .map(|(name, content)| ((*name).to_owned(), content.as_bytes().to_vec())),
        )
        .unwrap()
    }

    #[test]
    fn values_fill_the_template_and_files_are_copied() {
        let spec = spec(GUEST, "owner = \"@{owner}\"\n");
        let config = GuestConfig::load(&spec).unwrap();
        let written = config
            .render(&spec, &host(&[("owner", "0:ab\n"), ("platform.json", "{\"\n\"}")]))
            .unwrap();
        assert_eq!(written[0], ("worker.toml".into(), b"owner = \"0:ab\"\n".to_vec()));
        assert_eq!(written[1], ("platform.json".into(), b"{\"\n\"}".to_vec()));
    }

    #[test]
    fn a_file_of_the_host_cannot_take_the_place_of_a_template() {
        let guest = GUEST.replace("[\"platform.json\"]", "[\"worker.toml\"]");
        let error = GuestConfig::load(&spec(&guest, "")).unwrap_err();
        assert!(
            error.to_string().contains("both a template and a file of the host"),
            "{error}"
        );
    }

    #[test]
    fn a_template_in_a_folder_is_refused_before_an_image_is_measured() {
        let mut spec = spec(&GUEST.replace("worker.toml", "etc/worker.toml"), "");
        spec.insert("etc/worker.toml", Node::File(Vec::new())).unwrap();
        let error = GuestConfig::load(&spec).unwrap_err();
        assert!(error.to_string().contains("must lie in the folder itself"), "{error}");
    }

    #[test]
    fn a_value_cannot_leave_its_quotes() {
        let spec = spec(GUEST, "owner = \"@{owner}\"\n");
        let config = GuestConfig::load(&spec).unwrap();
        for value in ["a\"\nroot = \"b", "a\\", "", "a b", "a\nb", "@{owner}", "ü"] {
            let files = host(&[("owner", value), ("platform.json", "")]);
            assert!(config.render(&spec, &files).is_err(), "{value:?}");
        }
    }

    #[test]
    fn what_the_image_does_not_ask_for_is_refused_and_what_it_asks_for_must_come() {
        let spec = spec(GUEST, "owner = \"@{owner}\"\n");
        let config = GuestConfig::load(&spec).unwrap();
        for files in [
            &[("owner", "a")][..],
            &[("platform.json", "a")],
            &[("owner", "a"), ("platform.json", ""), ("root", "b")],
        ] {
            assert!(config.render(&spec, &host(files)).is_err());
        }
    }

    #[test]
    fn a_template_uses_named_values_only() {
        for template in ["a = \"@{root}\"", "a = \"@{owner\""] {
            assert!(GuestConfig::load(&spec(GUEST, template)).is_err());
        }
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let odd = GUEST.replace("arguments", "argument");
        let error = GuestConfig::load(&spec(&odd, "")).unwrap_err().to_string();
        assert!(error.contains("argument"), "{error}");
    }
}
