//! Keys and signatures: BIP-340 over secp256k1. The only file that names `k256`.

use k256::schnorr::{Signature, SigningKey, VerifyingKey};
use secrecy::{ExposeSecret, SecretString};

use crate::model::hex;

use super::name;

/// A secret key. It has no `Debug`, and is wiped when it is dropped.
pub(super) struct Key {
    secret: SigningKey,
    /// The public key in hex: who one is.
    pub(super) public: String,
}

impl Key {
    /// Reads a secret key as `nsec1…` (NIP-19) or in hex. No error shows any of it.
    pub(super) fn parse(text: &SecretString) -> Result<Self, String> {
        let text = text.expose_secret().trim();
        let bytes = match name::secret(text) {
            Some(bytes) => bytes,
            None => bytes32(text).ok_or("the secret key is neither `nsec1…` nor 64 hex digits")?,
        };
        let secret = SigningKey::from_slice(&bytes).map_err(|_| "the secret key is not one of its curve's")?;
        let public = hex(&secret.verifying_key().to_bytes());
        Ok(Self { secret, public })
    }

    /// Signs a hash. Always the same for the same: no randomness is added, which BIP-340 allows.
    pub(super) fn sign(&self, hash: &[u8; 32]) -> Result<String, String> {
        self.sign_with(hash, &[0; 32])
    }

    fn sign_with(&self, hash: &[u8; 32], auxiliary: &[u8; 32]) -> Result<String, String> {
        let signature = self.secret.sign_raw(hash, auxiliary).map_err(|_| "this cannot be signed with this key")?;
        Ok(hex(&signature.to_bytes()))
    }
}

/// Whether a signature is by this public key; all of them in hex.
pub(super) fn is_signed(public: &str, hash: &str, signature: &str) -> bool {
    let verify = || {
        let key = VerifyingKey::from_slice(&bytes32(public)?).ok()?;
        let signature = Signature::try_from(bytes(signature)?.as_slice()).ok()?;
        key.verify_raw(&bytes32(hash)?, &signature).ok()
    };
    verify().is_some()
}

/// 64 hex digits.
pub(super) fn bytes32(text: &str) -> Option<[u8; 32]> {
    bytes(text)?.try_into().ok()
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BIP-340's test vectors with a secret key: secret key, public key, auxiliary randomness, message, signature
    /// (bitcoin/bips, bip-0340/test-vectors.csv, rows 0 to 3, read 2026-11-23).
    const SIGNED: [[&str; 5]; 4] = [
        [
            "0000000000000000000000000000000000000000000000000000000000000003",
            "F9308A019258C31049344F85F89D5229B531C845836F99B08601F113BCE036F9",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "E907831F80848D1069A5371B402410364BDF1C5F8307B0084C55F1CE2DCA821525F66A4A85EA8B71E482A74F382D2CE5EBEEE8FDB2172F477DF4900D310536C0",
        ],
        [
            "B7E151628AED2A6ABF7158809CF4F3C762E7160F38B4DA56A784D9045190CFEF",
            "DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659",
            "0000000000000000000000000000000000000000000000000000000000000001",
            "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89",
            "6896BD60EEAE296DB48A229FF71DFE071BDE413E6D43F917DC8DCF8C78DE33418906D11AC976ABCCB20B091292BFF4EA897EFCB639EA871CFA95F6DE339E4B0A",
        ],
        [
            "C90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B14E5C9",
            "DD308AFEC5777E13121FA72B9CC1B7CC0139715309B086C960E18FD969774EB8",
            "C87AA53824B4D7AE2EB035A2B5BBBCCC080E76CDC6D1692C4B0B62D798E6D906",
            "7E2D58D8B3BCDF1ABADEC7829054F90DDA9805AAB56C77333024B9D0A508B75C",
            "5831AAEED7B44BB74E5EAB94BA9D4294C49BCF2A60728D8B4C200F50DD313C1BAB745879A5AD954A72C45A91C3A51D3C7ADEA98D82F8481E0E1E03674A6F3FB7",
        ],
        [
            "0B432B2677937381AEF05BB02A66ECD012773062CF3FA2549E44F58ED2401710",
            "25D1DFF95105F5253C4022F628A996AD3A0D95FBF21D468A1B33F8C160D8F517",
            "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
            "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
            "7EB0509757E246F19449885651611CB965ECC1A187DD51B64FDA1EDC9637D5EC97582B9CB13DB3933705B32BA982AF5AF25FD78881EBB32771FC5922EFC66EA3",
        ],
    ];

    /// Rows 4 to 14: public key, message, signature, whether it is good.
    const VERIFIED: [(&str, &str, &str, bool); 11] = [
        (
            "D69C3509BB99E412E68B0FE8544E72837DFA30746D8BE2AA65975F29D22DC7B9",
            "4DF3C3F68FCC83B27E9D42C90431A72499F17875C81A599B566C9889B9696703",
            "00000000000000000000003B78CE563F89A0ED9414F5AA28AD0D96D6795F9C6376AFB1548AF603B3EB45C9F8207DEE1060CB71C04E80F593060B07D28308D7F4",
            true,
        ),
        (
            "EEFDEA4CDB677750A420FEE807EACF21EB9898AE79B9768766E4FAA04A2D4A34",
            "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89",
            "6CFF5C3BA86C69EA4B7376F31A9BCB4F74C1976089B2D9963DA2E5543E17776969E89B4C5564D00349106B8497785DD7D1D713A8AE82B32FA79D5F7FC407D39B",
            false,
        ),
        (
            "DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659",
            "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89",
            "FFF97BD5755EEEA420453A14355235D382F6472F8568A18B2F057A14602975563CC27944640AC607CD107AE10923D9EF7A73C643E166BE5EBEAFA34B1AC553E2",
            false,
        ),
        (
            "DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659",
            "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89",
            "1FA62E331EDBC21C394792D2AB1100A7B432B013DF3F6FF4F99FCB33E0E1515F28890B3EDB6E7189B630448B515CE4F8622A954CFE545735AAEA5134FCCDB2BD",
            false,
        ),
        (
            "DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659",
            "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89",
            "6CFF5C3BA86C69EA4B7376F31A9BCB4F74C1976089B2D9963DA2E5543E177769961764B3AA9B2FFCB6EF947B6887A226E8D7C93E00C5ED0C1834FF0D0C2E6DA6",
            false,
        ),
        (
            "DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659",
            "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89",
            "0000000000000000000000000000000000000000000000000000000000000000123DDA8328AF9C23A94C1FEECFD123BA4FB73476F0D594DCB65C6425BD186051",
            false,
        ),
        (
            "DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659",
            "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89",
            "00000000000000000000000000000000000000000000000000000000000000017615FBAF5AE28864013C099742DEADB4DBA87F11AC6754F93780D5A1837CF197",
            false,
        ),
        (
            "DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659",
            "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89",
            "4A298DACAE57395A15D0795DDBFD1DCB564DA82B0F269BC70A74F8220429BA1D69E89B4C5564D00349106B8497785DD7D1D713A8AE82B32FA79D5F7FC407D39B",
            false,
        ),
        (
            "DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659",
            "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89",
            "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC2F69E89B4C5564D00349106B8497785DD7D1D713A8AE82B32FA79D5F7FC407D39B",
            false,
        ),
        (
            "DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659",
            "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89",
            "6CFF5C3BA86C69EA4B7376F31A9BCB4F74C1976089B2D9963DA2E5543E177769FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141",
            false,
        ),
        (
            "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC30",
            "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89",
            "6CFF5C3BA86C69EA4B7376F31A9BCB4F74C1976089B2D9963DA2E5543E17776969E89B4C5564D00349106B8497785DD7D1D713A8AE82B32FA79D5F7FC407D39B",
            false,
        ),
    ];

    #[test]
    fn bip_340s_vectors() {
        for [secret, public, auxiliary, message, signature] in SIGNED {
            let key = Key::parse(&secret.into()).unwrap_or_else(|why| panic!("{why}"));
            assert_eq!(key.public, public.to_ascii_lowercase());
            let of = |text: &str| bytes32(text).expect("32 bytes");
            assert_eq!(key.sign_with(&of(message), &of(auxiliary)), Ok(signature.to_ascii_lowercase()));
            assert!(is_signed(public, message, signature));
            let own = key.sign(&of(message)).expect("signed");
            assert_eq!(key.sign(&of(message)), Ok(own.clone()), "always the same");
            assert!(is_signed(&key.public, message, &own));
        }
        for (public, message, signature, good) in VERIFIED {
            assert_eq!(is_signed(public, message, signature), good, "{signature}");
        }
    }

    #[test]
    fn a_key_that_is_none_is_not_shown() {
        for bad in [
            "",
            "hunter2",
            "00",
            "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe6",
            &"0".repeat(64),
            &"f".repeat(64),
        ] {
            let why = Key::parse(&bad.into()).map(drop).expect_err("no key");
            assert!(bad.len() < 3 || !why.contains(bad), "{why}");
        }
        // NIP-19's example.
        let key = Key::parse(&"nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5".into());
        assert_eq!(
            key.map(|key| key.public).as_deref(),
            Ok("7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e")
        );
    }
}
