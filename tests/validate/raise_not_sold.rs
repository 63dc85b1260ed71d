//! `raise-not-sold`.

use super::repository::repository;

#[test]
fn only_what_can_be_raised_has_a_price() {
    let repository = repository().adding(
        "packages/basic.yaml",
        "maximum: { users: 300 }\nraises:\n  users: { per: 0, price: 1.00 EUR }\n  \
         devices: { per: 1, price: 1.00 USD }\n  limits.cpu: { per: 1, price: -1.00 USD }",
    );
    let said = repository.said();
    for expected in [
        "raise-not-sold: `devices` cannot be raised in this package",
        "help: name one of `quota` or `limits`, or remove it",
        "raise-not-sold: `limits.cpu` cannot be raised in this package",
        "help: say in `maximum` how far `limits.cpu` may be raised, or remove its price",
        "raise-not-sold: there are no steps of nothing",
        "raise-not-sold: `-1.00 USD` is less than nothing",
        "raise-not-sold: this is in EUR, and the package in USD",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
}

#[test]
fn a_price_of_what_can_be_raised_is_right() {
    let repository = repository().adding(
        "packages/basic.yaml",
        "maximum: { users: 300 }\nraises: { users: { per: 50, price: 1.00 USD } }",
    );
    assert!(!repository.said().contains("raise-not-sold"), "{}", repository.said());
}
