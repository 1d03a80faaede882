//! What goes over the wire, beside what all of the family do. Fields are those of facebook/facebook-business-sdk-codegen,
//! `api_specs/specs`: `IGUserForIGOnlyAPI.json`, `IGMediaForIGOnlyAPI.json` (read 2026-11-23).

use serde::Deserialize;

use crate::adapter::graph::Id;

/// `GET me?fields=user_id,username`. The guide "Get started" puts the account into a list (read 2026-11-23); the reference of
/// `me` says that it is the same as asking for the account by its id, which has no list around it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum MeAnswer {
    Listed { data: [Me; 1] },
    Alone(Me),
}

/// The account.
#[derive(Debug, Deserialize)]
pub(super) struct Me {
    pub(super) user_id: Id,
    #[serde(default)]
    pub(super) username: String,
}

impl MeAnswer {
    pub(super) fn account(self) -> Me {
        let (Self::Listed { data: [me] } | Self::Alone(me)) = self;
        me
    }
}

/// A post's numbers.
#[derive(Debug, Deserialize)]
pub(super) struct NumbersAnswer {
    /// It is an answer of Instagram's at all.
    #[serde(rename = "id")]
    pub(super) _id: Id,
    pub(super) like_count: Option<u64>,
    pub(super) comments_count: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_stands_in_a_list_or_alone() {
        let listed = r#"{"data": [{"user_id": "178414", "username": "acme"}]}"#;
        let alone = r#"{"user_id": 178414, "username": "acme", "id": "24"}"#;
        for text in [listed, alone] {
            let me = serde_json::from_str::<MeAnswer>(text).expect(text).account();
            assert_eq!((me.user_id.as_str(), me.username.as_str()), ("178414", "acme"), "{text}");
        }
        for wrong in [r#"{"data": []}"#, r#"{"id": "24"}"#, "[]"] {
            assert!(serde_json::from_str::<MeAnswer>(wrong).is_err(), "{wrong}");
        }
    }
}
