//! Calls with an account's access token, which is renewed once should it have ended.

use secrecy::SecretString;

use super::http::{Answer, Request};
use super::{Fault, Outside, Refusal};

/// The secret field that holds it.
const FIELD: &str = "token";

impl Outside {
    /// A repeatable call with the account's `token`. Should `who` answer 401, another token is asked for, and the call is
    /// made once more. `refusal` says what an answer that is no success means.
    pub async fn call(
        &self,
        who: &str,
        request: impl Fn() -> Request + Send,
        refusal: impl Fn(&Answer) -> Fault + Send,
    ) -> Result<Answer, Fault> {
        let token = self.secrets.secret(FIELD).await?;
        let answer = self.http.call(request().bearer(token.clone())).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        let said = refusal(&answer);
        let token = self.renewed(who, &token, &said).await?;
        self.http.call(request().bearer(token)).await
    }

    /// The irreversible call with the account's `token`: once. An answer that refuses the token is no answer to the
    /// request: it is [`Refusal::Busy`] as long as there is another token to be had. `refusal` says what an answer that is
    /// no success means.
    pub async fn publish(
        &self,
        who: &str,
        request: Request,
        refusal: impl Fn(&Answer) -> Fault + Send,
    ) -> Result<Answer, Fault> {
        let token = self.secrets.secret(FIELD).await?;
        let answer = self.http.publish(request.bearer(token.clone())).await?;
        if answer.status == 401 {
            let said = refusal(&answer);
            if matches!(said, Fault::Refused { .. }) {
                self.renewed(who, &token, &said).await?;
                return Err(Fault::refused(Refusal::Busy, "the token had ended; nothing was published"));
            }
        }
        Ok(answer)
    }

    /// Another token than the one that `who` has just refused in these words.
    pub async fn renewed(&self, who: &str, token: &SecretString, said: &Fault) -> Result<SecretString, Fault> {
        self.secrets.renewed(FIELD, token).await.map_err(|fault| match fault {
            Fault::Refused { refusal: Refusal::Credentials, message: why, .. } => {
                Fault::refused(Refusal::Credentials, format!("{who} does not accept the token ({said}); {why}"))
            }
            // Whatever became of the renewal: nothing of the account's was done.
            Fault::Unknown(why) => Fault::refused(Refusal::Busy, why),
            other => other,
        })
    }
}
