//! Whoever signs certificates, for one test.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

/// An authority of a test's own.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        // Each has a name of its own: it is told from others by that.
        params
            .distinguished_name
            .push(DnType::CommonName, format!("throwaway {}", fastrand::u64(..)));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Writes `ca.pem`, `server.*` and `client.*` to a directory; the server's has expired or not.
    pub(crate) fn sign_all(&self, directory: &Path, is_expired: bool) {
        fs::write(directory.join("ca.pem"), pem("CERTIFICATE", self.0.as_ref().der())).unwrap();
        self.sign(directory, "server", is_expired);
        self.sign(directory, "client", false);
    }

    /// Writes a certificate of that name, and its key; one that has expired or not.
    pub(crate) fn sign(&self, directory: &Path, name: &str, is_expired: bool) {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        if is_expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2020, 1, 2);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let file = |end: &str| directory.join(format!("{name}.{end}"));
        fs::write(file("pem"), pem("CERTIFICATE", certificate.der())).unwrap();
        fs::write(file("key"), pem("PRIVATE KEY", &key.serialize_der())).unwrap();
    }
}

/// As [RFC 7468](https://www.rfc-editor.org/rfc/rfc7468) has it, in one line.
fn pem(label: &str, der: &[u8]) -> String {
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        STANDARD.encode(der)
    )
}
