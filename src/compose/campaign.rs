//! Campaign parameters: what is appended to the links of a campaign's posts.

use std::collections::BTreeMap;

use crate::model::{Account, Campaign, Place, Post, Problem, codes};

/// The parameters for one post and account. Empty when the post is in no campaign, or its campaign has none.
pub(super) fn parameters(
    campaigns: &BTreeMap<String, Campaign>,
    post: &Post,
    account: &Account,
    problems: &mut Vec<Problem>,
) -> Vec<(&'static str, String)> {
    let Some(name) = &post.campaign else { return Vec::new() };
    let Some(campaign) = campaigns.get(name) else { return Vec::new() };
    let utm = &campaign.utm;
    if utm.is_empty() {
        return Vec::new();
    }
    let values = [
        ("account", account.name.as_str()),
        ("campaign", name.as_str()),
        ("network", account.network.as_str()),
        ("post", post.id.as_str()),
    ];
    let own = "{{ campaign }}".to_owned();
    let fields = [
        ("utm_source", utm.source.as_ref()),
        ("utm_medium", utm.medium.as_ref()),
        ("utm_campaign", Some(utm.campaign.as_ref().unwrap_or(&own))),
        ("utm_term", utm.term.as_ref()),
        ("utm_content", utm.content.as_ref()),
    ];
    let mut parameters = Vec::new();
    for (key, template) in fields {
        let Some(template) = template else { continue };
        match render(template, &values) {
            Ok(value) => parameters.push((key, value)),
            Err(error) => problems.push(Problem::error(
                codes::TEMPLATE_INVALID,
                Place::Key { key: "campaign" },
                format!("`{key}` of the campaign `{name}` cannot be filled in: {error}"),
            )),
        }
    }
    parameters
}

/// Whether the parameters differ from account to account of one network.
pub(super) fn depends_on_account(campaigns: &BTreeMap<String, Campaign>, post: &Post) -> bool {
    let Some(campaign) = post.campaign.as_ref().and_then(|name| campaigns.get(name)) else { return false };
    let utm = &campaign.utm;
    [&utm.source, &utm.medium, &utm.campaign, &utm.term, &utm.content]
        .into_iter()
        .flatten()
        .any(|template| template.contains("account"))
}

/// Fills `{{ name }}` in.
fn render(template: &str, values: &[(&str, &str)]) -> Result<String, String> {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        text.push_str(before);
        let (name, after) = after.split_once("}}").ok_or_else(|| "`{{` without `}}`".to_owned())?;
        let name = name.trim();
        let value = values.iter().find(|(known, _)| *known == name);
        let (_, value) = value.ok_or_else(|| {
            let known: Vec<_> = values.iter().map(|(known, _)| *known).collect();
            format!("`{name}` is not known here, only {}", known.join(", "))
        })?;
        text.push_str(value);
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}
