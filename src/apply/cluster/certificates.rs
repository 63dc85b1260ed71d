//! Until when the certificates of subscriptions are good. cert-manager says so of those that it
//! issued; of others the certificate itself is read. Of a secret nothing but the certificate is
//! looked at: the key beside it is read into nothing.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use futures_util::stream;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;

use crate::apply::error::ApplyError;
use crate::model::upkeep::Certificate;

use super::Cluster;
use super::connection::Call;
use super::connection::escaped;

const INGRESSES: &str = "/apis/networking.k8s.io/v1/ingresses";
const ISSUED: &str = "/apis/cert-manager.io/v1/certificates";
/// How many secrets are read at once.
const AT_ONCE: usize = 4;

#[derive(Deserialize)]
struct Metadata {
    namespace: String,
}

#[derive(Deserialize)]
struct Ingress {
    metadata: Metadata,
    spec: IngressSpec,
}

#[derive(Deserialize)]
struct IngressSpec {
    #[serde(default)]
    tls: Vec<Tls>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tls {
    #[serde(default)]
    hosts: Vec<String>,
    secret_name: Option<String>,
}

#[derive(Deserialize)]
struct Issued {
    metadata: Metadata,
    spec: IssuedSpec,
    #[serde(default)]
    status: IssuedStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IssuedSpec {
    secret_name: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct IssuedStatus {
    not_after: Option<Timestamp>,
}

/// Of a secret the certificate, and nothing else.
#[derive(Deserialize)]
struct TlsSecret {
    #[serde(default)]
    data: TlsData,
}

#[derive(Default, Deserialize)]
struct TlsData {
    #[serde(rename = "tls.crt")]
    certificate: Option<String>,
}

impl Cluster {
    /// The certificates that the ingresses of subscriptions name, and until when each is good.
    pub async fn certificates(&self) -> Result<Vec<Certificate>, ApplyError> {
        let mut named: Vec<Certificate> = Vec::new();
        self.each_labelled(INGRESSES, |of, ingress: Ingress| {
            for Tls { hosts, secret_name } in ingress.spec.tls {
                // Without a name it is the certificate of the ingress controller.
                let Some(secret) = secret_name else { continue };
                let (of, namespace) = (of.clone(), ingress.metadata.namespace.clone());
                named.push(Certificate { of, namespace, secret, hosts, ends: None });
            }
        })
        .await?;
        let issued = self.issued().await?;
        let looked_at = stream::iter(named).map(|mut certificate| async {
            let place = (certificate.namespace.clone(), certificate.secret.clone());
            certificate.ends = match issued.get(&place) {
                Some(ends) => Some(*ends),
                None => self.end_in(&certificate).await?,
            };
            Ok(certificate)
        });
        looked_at.buffered(AT_ONCE).try_collect().await
    }

    /// Until when what cert-manager issued is good, by namespace and secret; nothing where there is
    /// no cert-manager.
    async fn issued(&self) -> Result<HashMap<(String, String), Timestamp>, ApplyError> {
        let mut issued = HashMap::new();
        let mut pages = self.pages(ISSUED, "");
        loop {
            let page = match pages.next().await {
                Err(error) if error.is_not_found() => break,
                page => page?,
            };
            let Some(page) = page else { break };
            for item in &page.items {
                let Issued { metadata, spec, status } =
                    self.connection().parse(item.get().as_bytes())?;
                if let Some(ends) = status.not_after {
                    issued.insert((metadata.namespace, spec.secret_name), ends);
                }
            }
        }
        Ok(issued)
    }

    /// Until when the certificate in a secret is good; none where there is none to be read.
    async fn end_in(&self, certificate: &Certificate) -> Result<Option<Timestamp>, ApplyError> {
        let Certificate { namespace, secret, .. } = certificate;
        let path = format!("/api/v1/namespaces/{}/secrets/{}", escaped(namespace), escaped(secret));
        let what = format!("reading the certificate in `{namespace}/{secret}` was refused");
        match self.connection().read::<TlsSecret>(&what, &Call::get(path)).await {
            Ok(TlsSecret { data }) => Ok(data.certificate.as_deref().and_then(end_of)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The end of the first certificate of a chain (PEM, in base64): the first is the server's own.
fn end_of(certificate: &str) -> Option<Timestamp> {
    let pem = STANDARD.decode(certificate).ok()?;
    let first = CertificateDer::from_pem_slice(&pem).ok()?;
    let (_, read) = x509_parser::parse_x509_certificate(&first).ok()?;
    Timestamp::from_second(read.validity().not_after.timestamp()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_read_from_itself() {
        let mut parameters = rcgen::CertificateParams::new(["acme.example".to_owned()]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(2027, 2, 3);
        let key = rcgen::KeyPair::generate().unwrap();
        let own = parameters.self_signed(&key).unwrap().pem();
        parameters.not_after = rcgen::date_time_ymd(2040, 1, 1);
        let issuer = parameters.self_signed(&key).unwrap().pem();
        let chain = STANDARD.encode(format!("{own}{issuer}"));
        assert_eq!(end_of(&chain).unwrap().to_string(), "2027-02-03T00:00:00Z");
        for bad in
            ["", "!", &STANDARD.encode("no certificate"), &STANDARD.encode(key.serialize_pem())]
        {
            assert_eq!(end_of(bad), None, "{bad}");
        }
    }
}
