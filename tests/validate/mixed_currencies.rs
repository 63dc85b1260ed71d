//! `mixed-currencies`.

use super::repository::repository;

#[test]
fn a_package_has_one_currency() {
    let repository = repository()
        .adding("packages/basic.yaml", "cost: { compute: 40000 VND, network: 1.00 USD }");
    insta::assert_snapshot!(repository.said(), @"
    packages/basic.yaml:19:20 error mixed-currencies: this is in VND, and the package in USD
      packages/basic.yaml:8:10 the package's currency
      help: write it in USD
    held: acme, globex; valid: nobody
    ");
}
