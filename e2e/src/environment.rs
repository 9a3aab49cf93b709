//! The environment of everything that speaks to the local AWS.

use std::process::Command;

/// Where an empty file always is.
const EMPTY: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };

/// Takes the user's own AWS settings away from a command and gives it credentials that are worth nothing, so that it
/// cannot reach a real account, whatever it does. Without them a client would also look for credentials at the
/// address where a cloud machine has them, and wait there.
pub fn isolate(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command
        .env("AWS_ACCESS_KEY_ID", "testing")
        .env("AWS_SECRET_ACCESS_KEY", "testing")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", EMPTY)
        .env("AWS_SHARED_CREDENTIALS_FILE", EMPTY)
        .env("NO_PROXY", without_proxy("NO_PROXY"))
        .env("no_proxy", without_proxy("no_proxy"))
}

/// A proxy of the user's has no way to this machine's own loopback, so it is excepted beside what already is.
fn without_proxy(variable: &str) -> String {
    const LOOPBACK: &str = "127.0.0.1,localhost";
    match std::env::var(variable) {
        Ok(others) if !others.is_empty() => format!("{others},{LOOPBACK}"),
        _ => LOOPBACK.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::isolate;
    use std::ffi::OsStr;
    use std::process::Command;

    #[test]
    fn nothing_of_the_user_is_left() {
        let mut command = Command::new("true");
        isolate(&mut command);
        let set = |name: &str| {
            command
                .get_envs()
                .find(|(key, _)| *key == OsStr::new(name))
                .and_then(|(_, value)| value.map(OsStr::to_owned))
        };
        assert_eq!(set("AWS_EC2_METADATA_DISABLED").as_deref(), Some(OsStr::new("true")));
        assert_eq!(set("AWS_SECRET_ACCESS_KEY").as_deref(), Some(OsStr::new("testing")));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
            let kept = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CONFIG_FILE"];
            assert!(command.get_envs().any(|(key, _)| key == name), "{name:?} is handed on as it is, unlike {kept:?}");
        }
    }
}
