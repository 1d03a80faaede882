//! Parameters appended to links.

/// Appends parameters to a link, before its fragment; those that it has already stay as they are.
pub fn with_parameters(link: &str, parameters: &[(&str, String)]) -> String {
    let (before, fragment) = link.split_at(link.find('#').unwrap_or(link.len()));
    let query = before.split_once('?').map_or("", |(_, query)| query);
    let has = |name: &str| url::form_urlencoded::parse(query.as_bytes()).any(|(known, _)| known == name);
    let mut out = before.to_owned();
    let mut separator = match before.chars().next_back() {
        Some('?' | '&') => "",
        _ if before.contains('?') => "&",
        _ => "?",
    };
    for (index, (name, value)) in parameters.iter().enumerate() {
        let repeated = parameters[..index].iter().any(|(earlier, _)| earlier == name);
        if has(name) || repeated {
            continue;
        }
        out.push_str(separator);
        encode(name, &mut out);
        out.push('=');
        encode(value, &mut out);
        separator = "&";
    }
    out.push_str(fragment);
    out
}

/// Percent-encodes all but RFC 3986's unreserved characters.
fn encode(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::with_parameters;

    #[test]
    fn parameters_go_before_the_fragment() {
        let utm = [("utm_source", "a b&c".to_owned()), ("utm_medium", "soziäl".to_owned())];
        for (link, expected) in [
            ("https://a.example", "https://a.example?utm_source=a%20b%26c&utm_medium=sozi%C3%A4l"),
            ("https://a.example/#top", "https://a.example/?utm_source=a%20b%26c&utm_medium=sozi%C3%A4l#top"),
            ("https://a.example/?", "https://a.example/?utm_source=a%20b%26c&utm_medium=sozi%C3%A4l"),
            ("https://a.example/?q=1&", "https://a.example/?q=1&utm_source=a%20b%26c&utm_medium=sozi%C3%A4l"),
            ("https://a.example/?utm_source=x#a?b", "https://a.example/?utm_source=x&utm_medium=sozi%C3%A4l#a?b"),
            ("https://a.example/?utm%5Fsource=x", "https://a.example/?utm%5Fsource=x&utm_medium=sozi%C3%A4l"),
        ] {
            assert_eq!(with_parameters(link, &utm), expected);
        }
        assert_eq!(with_parameters("https://a.example/#x", &[]), "https://a.example/#x");
    }
}
