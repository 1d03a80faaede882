//! Opens an address in the person's browser. The only file that names `open`.

/// Why there is no browser to be opened from here; `None`: there is one.
pub(super) fn missing() -> Option<&'static str> {
    let needs_display = cfg!(all(unix, not(target_os = "macos")));
    missing_in(needs_display, |name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// The same, for a machine where these variables are set.
fn missing_in(needs_display: bool, set: impl Fn(&str) -> bool) -> Option<&'static str> {
    if ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"].into_iter().any(&set) {
        return Some("you are here over ssh");
    }
    // Linux inside Windows opens Windows' own.
    let display = ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"].into_iter().any(set);
    (needs_display && !display).then_some("there is no display here")
}

/// Opens it, and does not wait. `Err` says why not. What is not of the web is never handed to the system.
pub(super) fn show(url: &str) -> Result<(), String> {
    if !(url.starts_with("https://") || url.starts_with("http://")) {
        return Err("it is no address of the web".to_owned());
    }
    open::that_detached(url).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_where_the_person_is() {
        let missing = |needs_display, variables: &[&str]| missing_in(needs_display, |name| variables.contains(&name));
        assert_eq!(missing(true, &[]), Some("there is no display here"));
        assert_eq!(missing(false, &[]), None);
        for display in ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"] {
            assert_eq!(missing(true, &[display]), None);
            // A display that came with ssh is far away, and so is the browser's answer.
            assert_eq!(missing(true, &[display, "SSH_CONNECTION"]), Some("you are here over ssh"));
        }
        assert_eq!(missing(false, &["SSH_TTY"]), Some("you are here over ssh"));
    }

    #[test]
    fn nothing_but_the_web_is_opened() {
        for url in ["file:///etc/passwd", "smb://host/share", "--help", "/bin/sh", ""] {
            assert!(show(url).is_err(), "{url}");
        }
    }
}
