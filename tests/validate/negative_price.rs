//! `negative-price`.

use super::repository::repository;

#[test]
fn a_price_is_not_below_nothing() {
    let repository = repository().changed("packages/basic.yaml", "10.00 USD", "-10.00 USD");
    insta::assert_snapshot!(repository.said(), @"
    packages/basic.yaml:8:10 error negative-price: `-10.00 USD` is less than nothing
      help: write an amount without `-`
    held: acme, globex; valid: nobody
    ");
}
